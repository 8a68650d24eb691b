//! Entries for auditing as the system writes them in one line (Microsoft, "Security Descriptor String Format" and "ACE
//! Strings"): `S:AI(AU;OICISAFA;CCDCLCSDWDWO;;;WD)`.
//!
//! Only what is needed to know what is recorded: an entry that is not understood records nothing, so that a reader is told too
//! little rather than too much.

/// What is recorded of one identity's accesses to a folder and to everything below it, as masks of rights (winnt.h).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Audited {
    /// Of what was done.
    pub success: u32,
    /// Of what was refused.
    pub failure: u32,
}

/// A longer text is not read; an access list has at most 64 KiB, and one entry some 30 letters.
const TEXT_BYTES_MAX: usize = 1 << 18;

/// Rights in two letters. On files the generic ones mean what the last four do (winnt.h, FILE_ALL_ACCESS and its like).
const RIGHTS: &[(&str, u32)] = &[
    ("CC", 0x1),
    ("DC", 0x2),
    ("LC", 0x4),
    ("SW", 0x8),
    ("RP", 0x10),
    ("WP", 0x20),
    ("DT", 0x40),
    ("LO", 0x80),
    ("CR", 0x100),
    ("SD", 0x1_0000),
    ("RC", 0x2_0000),
    ("WD", 0x4_0000),
    ("WO", 0x8_0000),
    ("GA", 0x1F_01FF),
    ("GR", 0x12_0089),
    ("GW", 0x12_0116),
    ("GX", 0x12_00A0),
    ("FA", 0x1F_01FF),
    ("FR", 0x12_0089),
    ("FW", 0x12_0116),
    ("FX", 0x12_00A0),
];

/// Flags of an entry: how it is inherited, whether it was, and what it records.
const FLAGS: &[&str] = &["OI", "CI", "NP", "IO", "ID", "SA", "FA"];

/// What a descriptor has recorded of an identity's accesses to a file, or to a folder and all below. Entries add up.
pub fn audited(text: &str, is_folder: bool, sid: &str) -> Audited {
    let mut audited = Audited::default();
    let Some(list) = text.get(..TEXT_BYTES_MAX.min(text.len())).and_then(system_list) else { return audited };
    for entry in entries(list) {
        let fields: Vec<&str> = entry.split(';').collect();
        // Seven fields are a conditional entry: it records some accesses and not others.
        let [kind, flags, rights, _, _, whose] = fields.as_slice() else { continue };
        if *kind != "AU" || !is_identity(whose, sid) {
            continue;
        }
        let Some(flags) = pairs(flags).filter(|flags| flags.iter().all(|flag| FLAGS.contains(flag))) else {
            continue;
        };
        let reaches_below = flags.contains(&"OI") && flags.contains(&"CI") && !flags.contains(&"NP");
        if flags.contains(&"IO") || is_folder && !reaches_below {
            continue;
        }
        let Some(rights) = mask(rights) else { continue };
        if flags.contains(&"SA") {
            audited.success |= rights;
        }
        if flags.contains(&"FA") {
            audited.failure |= rights;
        }
    }
    audited
}

/// SYSTEM and the group of administrators, in both of their spellings.
const KEEPERS: &[&str] = &["SY", "S-1-5-18", "BA", "S-1-5-32-544"];

/// Who besides SYSTEM and administrators may do anything with a file or folder, as the descriptor spells them (`D:P(A;;FA;;;SY)`).
/// A descriptor without a list of rights lets everybody in.
pub fn others(text: &str) -> Vec<String> {
    let list = text.split_once("D:").map(|(_, list)| list);
    let Some(list) = list.filter(|list| !list.starts_with("NO_ACCESS_CONTROL")) else {
        return vec!["everybody".to_owned()];
    };
    let mut others = Vec::new();
    for entry in entries(list) {
        let fields: Vec<&str> = entry.split(';').collect();
        // Every kind that allows ends in A (A, OA, XA, ZA); one that refuses in D. Unknown ones count as allowing.
        let is_refusal = matches!(fields.first(), Some(&"D" | &"OD" | &"XD"));
        let whose = fields.get(5).copied().unwrap_or("?");
        if !is_refusal && !KEEPERS.contains(&whose) && !others.iter().any(|known| known == whose) {
            others.push(whose.to_owned());
        }
    }
    others
}

/// The part behind `S:`. The owner's and group's parts hold no `S:` of their own before it, but identifiers do hold `S-`.
fn system_list(text: &str) -> Option<&str> {
    let at = text.find("S:")?;
    text.get(at.checked_add(2)?..)
}

/// What stands in round brackets, one pair after another.
fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split('(').skip(1).filter_map(|rest| rest.split_once(')').map(|(entry, _)| entry))
}

fn is_identity(text: &str, sid: &str) -> bool {
    // The system writes the best known identities in two letters.
    text.eq_ignore_ascii_case(sid) || text == "WD" && sid == "S-1-1-0"
}

fn pairs(text: &str) -> Option<Vec<&str>> {
    let n_letters = text.len();
    let starts = (0..n_letters).step_by(2);
    let pairs = starts.map(|at| text.get(at..at.checked_add(2)?));
    n_letters.is_multiple_of(2).then(|| pairs.collect())?
}

fn mask(text: &str) -> Option<u32> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u32::from_str_radix(digits, 16).ok();
    }
    if text.starts_with(|letter: char| letter.is_ascii_digit()) {
        return text.parse().ok();
    }
    let known = |pair: &&str| RIGHTS.iter().find(|(word, _)| word == pair).map(|(_, right)| *right);
    pairs(text)?.iter().map(known).try_fold(0, |sum, right| Some(sum | right?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, success: u32, failure: u32) {
        assert_eq!(audited(text, true, "S-1-1-0"), Audited { success, failure }, "{text}");
    }

    #[test]
    fn an_entry_counts_for_whom_and_where_it_is() {
        check("S:AI(AU;OICISAFA;CCDCLCSDWDWO;;;WD)", 0xD0007, 0xD0007);
        check("S:(AU;OICISA;0xd0007;;;S-1-1-0)", 0xD0007, 0);
        check("O:BAG:SYD:(A;;FA;;;SY)S:PAI(AU;OICIIDSA;FA;;;WD)(AU;OICIFA;0x1;;;WD)", 0x1F_01FF, 1);
        // Two entries, each a part.
        check("S:(AU;OICISA;CCDC;;;WD)(AU;OICISA;LCSDWDWO;;;WD)", 0xD0007, 0);
        let of_file = audited("S:(AU;SAFA;CC;;;WD)", false, "S-1-1-0");
        assert_eq!(of_file, Audited { success: 1, failure: 1 }, "nothing lies below a file");
    }

    #[test]
    fn others_than_its_keepers_are_seen() {
        let ours = "D:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)";
        assert_eq!(others(ours), Vec::<String>::new());
        assert_eq!(others("O:BAG:SYD:P(A;;FA;;;S-1-5-18)(D;;FA;;;WD)"), Vec::<String>::new());
        for (more, whose) in
            [("(A;;FR;;;WD)", "WD"), ("(A;;0x1;;;S-1-5-21-1-2-3-1001)", "S-1-5-21-1-2-3-1001")]
        {
            assert_eq!(others(&format!("{ours}{more}{more}")), [whose]);
        }
        // A condition is not understood: somebody may be let in, and that is said.
        assert_eq!(others("D:(XA;;FR;;;AU;(Member_of {SID(BA)}))"), ["?"]);
        for text in ["", "O:BA", "D:NO_ACCESS_CONTROL"] {
            assert_eq!(others(text), ["everybody"], "{text}");
        }
    }

    #[test]
    fn an_entry_that_leaves_something_out_does_not_count() {
        for text in [
            "",
            "S:",
            "S:NO_ACCESS_CONTROL",
            "D:(A;OICISAFA;FA;;;WD)",
            // Of somebody else; of the folder alone; of what lies below alone; of one level.
            "S:(AU;OICISAFA;FA;;;BA)",
            "S:(AU;SAFA;FA;;;WD)",
            "S:(AU;OISAFA;FA;;;WD)",
            "S:(AU;OICIIOSAFA;FA;;;WD)",
            "S:(AU;OICINPSAFA;FA;;;WD)",
            // A label, a condition, words that nobody knows.
            "S:(ML;;NW;;;LW)",
            "S:(XU;OICISAFA;FA;;;WD;(Member_of {SID(BA)}))",
            "S:(AU;OICISAFA;CCQQ;;;WD)",
            "S:(AU;OICISAFA;CCD;;;WD)",
            "S:(AU;OICISAFA;0x1ffffffff;;;WD)",
            "S:(AU;OICISAFA;FA;;;WD",
            "S:(AU;\u{e9}\u{e9}OICISA;FA;;;WD)",
        ] {
            check(text, 0, 0);
        }
    }
}
