//! Who may use a thing of Windows, out of its security descriptor's text (Microsoft, "Security Descriptor String Format").
//!
//! ```text
//! O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;;0x1200a9;;;BU)
//! ```
//! Pure, so that it is tested where no Windows is. What it does not understand counts as somebody else.

/// SYSTEM, the administrators and whoever owns the thing, by identifiers that are the same in every language (Microsoft,
/// "Well-known SIDs"), with all rights; nothing is inherited from above, and what lies below inherits these.
pub const CLOSED: &str = "D:P(A;OICI;FA;;;S-1-5-18)(A;OICI;FA;;;S-1-5-32-544)(A;OICI;FA;;;S-1-3-4)";
/// The same three for a thing without folders below it, such as a pipe.
pub const CLOSED_THING: &str = "D:P(A;;GA;;;S-1-5-18)(A;;GA;;;S-1-5-32-544)(A;;GA;;;S-1-3-4)";

/// The system itself, in both spellings.
const SYSTEM: [&str; 2] = ["SY", "S-1-5-18"];
/// The group of administrators.
const ADMINISTRATORS: [&str; 2] = ["BA", "S-1-5-32-544"];
/// Whoever owns the thing; whoever makes one below it.
const WHOEVER_OWNS: [&str; 4] = ["OW", "S-1-3-4", "CO", "S-1-3-0"];

/// A descriptor's owner and those whom its list allows something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    /// Who owns it: an identifier, or one of the format's abbreviations; empty where the text names none.
    pub owner: String,
    /// Who may do anything at all with it, in the list's order; none where there is no list, which allows everybody.
    pub allowed: Option<Vec<String>>,
}

impl Rights {
    /// Reads the text.
    pub fn read(text: &str) -> Self {
        let owner = text.strip_prefix("O:").map_or("", |rest| {
            // The next part begins with its letter and a colon.
            let end = ["G:", "D:", "S:"].iter().filter_map(|part| rest.find(part)).min();
            rest.get(..end.unwrap_or(rest.len())).unwrap_or_default()
        });
        Self { owner: owner.to_owned(), allowed: allowed(text) }
    }

    /// Somebody other than the system, the administrators and the owner who may use it.
    pub fn stranger(&self) -> Option<&str> {
        let Some(allowed) = &self.allowed else { return Some("everybody") };
        let is_one_of_three = |name: &str| {
            is_privileged(name) || WHOEVER_OWNS.contains(&name) || (!name.is_empty() && name == self.owner)
        };
        allowed.iter().map(String::as_str).find(|name| !is_one_of_three(name))
    }

    /// Whether the system, the administrators or one of these own it: nobody else can give rights to it away.
    pub fn is_owned_by(&self, others: &[String]) -> bool {
        is_privileged(&self.owner) || (!self.owner.is_empty() && others.contains(&self.owner))
    }
}

fn is_privileged(name: &str) -> bool {
    SYSTEM.contains(&name) || ADMINISTRATORS.contains(&name)
}

/// The accounts of entries that allow something; an entry of a kind that is not known counts as one that does.
fn allowed(text: &str) -> Option<Vec<String>> {
    let from = text.find("D:")?;
    let list = text.get(from..)?.split("S:(").next().unwrap_or_default();
    // `D:NO_ACCESS_CONTROL` is a descriptor without a list.
    if list.contains("NO_ACCESS_CONTROL") {
        return None;
    }
    let entries = list.split('(').skip(1).filter_map(|entry| entry.split(')').next());
    let account = |entry: &str| {
        let mut fields = entry.split(';');
        let kind = fields.next().unwrap_or_default();
        let account = fields.nth(4).unwrap_or_default();
        (kind != "D").then(|| account.to_owned())
    };
    Some(entries.filter_map(account).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, owner: &str, stranger: Option<&str>) {
        let rights = Rights::read(text);
        assert_eq!((rights.owner.as_str(), rights.stranger()), (owner, stranger), "{text}");
    }

    #[test]
    fn the_system_administrators_and_the_owner_are_no_strangers() {
        check("O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;FA;;;OW)", "BA", None);
        check(
            "O:S-1-5-21-1-2-3-1001G:S-1-5-21-1-2-3-513D:(A;;FA;;;S-1-5-21-1-2-3-1001)",
            "S-1-5-21-1-2-3-1001",
            None,
        );
        check(CLOSED, "", None);
        check(CLOSED_THING, "", None);
        check("O:BAG:SYD:(D;;FA;;;WD)(A;;FA;;;SY)S:(AU;SAFA;FA;;;WD)", "BA", None);
    }

    #[test]
    fn everybody_else_is_a_stranger_whatever_they_may_do() {
        check("O:BAG:SYD:AI(A;ID;FA;;;SY)(A;ID;0x1200a9;;;BU)", "BA", Some("BU"));
        check("O:BAD:(A;;FR;;;WD)", "BA", Some("WD"));
        check(
            "O:S-1-5-21-1-2-3-1001D:(A;;FA;;;S-1-5-21-1-2-3-1002)",
            "S-1-5-21-1-2-3-1001",
            Some("S-1-5-21-1-2-3-1002"),
        );
        check("O:BAD:(OA;;FA;;;AU)(XA;;FA;;;SY;(@x))", "BA", Some("AU"));
        check("D:(A;;FA;;;)", "", Some(""));
    }

    #[test]
    fn no_list_allows_everybody_and_an_empty_one_nobody() {
        check("O:BAG:SYD:NO_ACCESS_CONTROL", "BA", Some("everybody"));
        check("O:BAG:SY", "BA", Some("everybody"));
        check("", "", Some("everybody"));
        check("O:BAG:SYD:P", "BA", None);
    }

    #[test]
    fn a_thing_is_trusted_only_where_its_owner_could_do_anything_anyway_or_owns_the_folder() {
        let owned =
            |owner: &str, by: &str| Rights::read(&format!("O:{owner}G:SYD:P")).is_owned_by(&[by.to_owned()]);
        assert!(owned("BA", "") && owned("SY", "S-1-5-21-1-2-3-1001"));
        assert!(owned("S-1-5-21-1-2-3-1001", "S-1-5-21-1-2-3-1001"));
        assert!(!owned("S-1-5-21-1-2-3-1002", "S-1-5-21-1-2-3-1001"));
        assert!(!Rights::read("D:P").is_owned_by(&[String::new()]));
    }
}
