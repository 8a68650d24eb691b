//! The list itself, and what is said of machines that differ from it.

use expect_test::{Expect, expect};

use super::*;

/// A machine as the script leaves it.
fn in_order() -> Found {
    let wanted = Wanted::built_in();
    let setting = |part: &Subcategory| {
        (part.guid.clone(), Setting { success: part.success.is_some(), failure: part.failure.is_some() })
    };
    Found {
        is_server: true,
        settings: Ok(wanted.subcategories.iter().map(setting).collect()),
        is_subcategory_forced: Ok(true),
        log: Ok(SecurityLog { bytes_max: wanted.log_bytes_min, stops_when_full: false }),
        folders: BTreeMap::from([folder(r"C:\exports", "S:AI(AU;OICISAFA;CCDCLCSDWDWO;;;WD)")]),
    }
}

fn folder(path: &str, text: &str) -> (String, Result<Descriptor, String>) {
    (path.to_owned(), Ok(Descriptor { text: text.to_owned(), is_folder: true }))
}

fn differences(change: impl FnOnce(&mut Found)) -> BTreeSet<Difference> {
    let mut found = in_order();
    change(&mut found);
    Wanted::built_in().differences(&found)
}

fn set(found: &mut Found, guid: &str, success: bool, failure: bool) {
    let settings = found.settings.as_mut().unwrap();
    settings.insert(format!("0cce92{guid}-69ae-11d9-bed3-505054503030"), Setting { success, failure });
}

#[track_caller]
fn check(change: impl FnOnce(&mut Found), expected: Expect) {
    expected.assert_eq(&sentences(&differences(change)).join("\n"));
}

#[test]
fn the_list_is_the_one_that_was_agreed() {
    let wanted: Wanted = toml::from_str(DATA).unwrap();
    assert_eq!(
        (wanted.log_bytes_min, wanted.sacl.rights),
        (512 << 20, 0x1 | 0x2 | 0x4 | 0x1_0000 | 0x4_0000 | 0x8_0000)
    );
    let numbers: Vec<&str> = wanted
        .subcategories
        .iter()
        .map(|part| {
            let number = part.guid.strip_prefix("0cce92").unwrap();
            number.strip_suffix("-69ae-11d9-bed3-505054503030").unwrap()
        })
        .collect();
    let agreed = "10 12 15 16 1b 1c 1d 23 24 44 45 2b 2f 35 37 3f";
    assert_eq!(numbers.join(" "), agreed);
    assert!(wanted.subcategories.iter().all(|part| part.success.is_some() || part.failure.is_some()));
    assert_eq!(wanted.name_of("{0CCE921D-69AE-11D9-BED3-505054503030}"), Some("File System"));
}

#[test]
fn a_machine_in_order_has_nothing_to_say() {
    assert_eq!(differences(|_| {}), BTreeSet::new());
    // What is recorded beyond the list is its owner's affair; what servers alone have is not missed elsewhere.
    let more = |found: &mut Found| {
        set(found, "16", true, true);
        set(found, "44", false, false);
        found.is_server = false;
        found.log = Ok(SecurityLog { bytes_max: 1 << 40, stops_when_full: false });
    };
    assert_eq!(differences(more), BTreeSet::new());
}

#[test]
fn each_difference_says_what_nobody_records() {
    check(
        |found| {
            set(found, "1d", false, false);
            set(found, "15", true, false);
            set(found, "44", true, false);
        },
        expect![[r#"
            not recorded on this computer: at which files another machine is refused, because failure of `Detailed File Share` is off in its audit policy
            not recorded on this computer: who opens, changes or deletes watched files; who is refused at watched files, because success and failure of `File System` is off in its audit policy
            not recorded on this computer: who fails to log in, because failure of `Logon` is off in its audit policy"#]],
    );
    check(
        |found| {
            found.is_subcategory_forced = Ok(false);
            found.log = Ok(SecurityLog { bytes_max: 20 << 20, stops_when_full: true });
        },
        expect![[r#"
            a group policy of the older kind may replace the audit policy of this computer without a word: SCENoApplyLegacyAuditPolicy is not 1
            what is recorded while the agent of this computer is stopped may be overwritten before it is read: the Security log holds 20 MiB, less than 512
            this computer records nothing more once its Security log is full: it is set to keep old records instead of overwriting them"#]],
    );
    check(
        |found| {
            found.folders = [
                folder(r"C:\a", ""),
                folder(r"C:\b", "S:(AU;OICISA;FA;;;WD)"),
                folder(r"C:\c", "S:(AU;OICISAFA;CC;;;WD)(AU;OICIFA;FA;;;WD)"),
            ]
            .into();
        },
        expect![[r#"
            not wholly recorded on this computer: what is done and what is refused in C:\a, because its entry for auditing (success and failure) is missing or not whole
            not wholly recorded on this computer: what is refused in C:\b, because its entry for auditing (failure) is missing or not whole
            not wholly recorded on this computer: what is done in C:\c, because its entry for auditing (success) is missing or not whole"#]],
    );
}

/// Wine, or an account without the right to look: never in order.
#[test]
fn what_could_not_be_read_is_said_and_is_no_change() {
    let why = || "the system answers 1314".to_owned();
    let unread = |found: &mut Found| {
        *found = Found {
            is_server: false,
            settings: Err(why()),
            is_subcategory_forced: Err(why()),
            log: Err(why()),
            folders: BTreeMap::from([(r"C:\exports".to_owned(), Err(why()))]),
        };
    };
    check(
        unread,
        expect![[r#"
        whether the audit policy of this computer records logins and file access could not be read (the system answers 1314)
        whether an older policy may replace the audit policy of this computer could not be read (the system answers 1314)
        size and retention of this computer's Security log could not be read (the system answers 1314)
        whether file access in C:\exports is recorded could not be read (the system answers 1314)"#]],
    );
    let (before, now) = (differences(unread), differences(|found| set(found, "1d", false, false)));
    let looked_at = BTreeSet::from([r"C:\exports".to_owned()]);
    assert_eq!(worse(&before, &looked_at, &now), Vec::<&Difference>::new());
    assert_eq!(worse(&BTreeSet::new(), &looked_at, &before), Vec::<&Difference>::new());
}

#[test]
fn only_what_became_worse_is_a_change() {
    let before = differences(|found| {
        set(found, "15", false, true);
        found.log = Ok(SecurityLog { bytes_max: 20 << 20, stops_when_full: false });
    });
    let looked_at = BTreeSet::from([r"C:\exports".to_owned()]);
    let check = |change: fn(&mut Found), expected: &[&str]| {
        let now = differences(change);
        let details: Vec<String> =
            worse(&before, &looked_at, &now).into_iter().map(Difference::detail).collect();
        assert_eq!(details, expected);
    };
    check(|_| {}, &[]);
    check(|found| found.log = Ok(SecurityLog { bytes_max: 100 << 20, stops_when_full: false }), &[]);
    check(|found| set(found, "15", false, true), &[]);
    check(|found| set(found, "15", false, false), &["Logon: failure is not recorded any more"]);
    check(
        |found| found.folders = [folder(r"C:\exports", "S:")].into(),
        &[
            "the entry for auditing of a watched folder: success is not recorded any more",
            "the entry for auditing of a watched folder: failure is not recorded any more",
        ],
    );
    // A folder that came under watch meanwhile: nobody changed anything.
    check(|found| found.folders = [folder(r"C:\new", "S:")].into(), &[]);
}
