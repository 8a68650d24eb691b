use std::os::unix::fs::PermissionsExt as _;

use super::sign_in::{Given, Outcome};
use super::*;
use crate::reviewer::{Passphrase, Reviewers};

const SECRET: &[u8] = b"12345678901234567890";
const MARYS: &str = "correct horse battery";

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

struct Rig {
    accounts: Accounts,
    reviewers: Reviewers,
    home: Home,
    _scratch: tempfile::TempDir,
}

/// Mary is the manager, with her passphrase, a second factor and two recovery codes.
fn rig() -> Rig {
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(scratch.path());
    home.create().unwrap();
    let rig = Rig {
        accounts: Accounts::new(home.clone()),
        reviewers: Reviewers::new(home.clone()),
        home,
        _scratch: scratch,
    };
    rig.reviewers.set("mary", &Passphrase::new(MARYS), at(0)).unwrap();
    let link = rig.accounts.set_up_link(at(0)).unwrap();
    rig.accounts.use_link(&link, "mary", at(0)).unwrap();
    let recovery = ["aaaa-bbbb-cccc".to_owned(), "dddd-eeee-ffff".to_owned()];
    assert!(rig.accounts.set_second_factor("mary", (SECRET, &code(0), &recovery), at(0)).unwrap());
    rig
}

fn code(seconds: i64) -> String {
    format!("{:06}", totp::code(SECRET, totp::step(at(seconds).as_second())))
}

impl Rig {
    fn try_so(&self, name: &str, passphrase: &str, code: &str, seconds: i64) -> Outcome {
        let given = Given { name: name.into(), passphrase: Passphrase::new(passphrase), code: code.into() };
        self.accounts.sign_in(&self.reviewers, &given, at(seconds)).unwrap()
    }

    fn is_in(&self, passphrase: &str, code: &str, seconds: i64) -> bool {
        matches!(self.try_so("mary", passphrase, code, seconds), Outcome::SignedIn { .. })
    }
}

#[test]
fn all_three_have_to_fit_and_no_code_works_twice() {
    let rig = rig();
    assert!(!rig.is_in(MARYS, &code(0), 1), "it was used at set-up");
    assert!(rig.is_in(MARYS, &code(60), 60));
    assert!(!rig.is_in(MARYS, &code(60), 61), "used");
    assert!(!rig.is_in("wrong horse battery", &code(120), 120));
    assert!(rig.is_in(MARYS, &code(120), 121), "what failed with it did not use it");
    assert!(!rig.is_in(MARYS, "", 180));
    let Outcome::SignedIn { recovery_left, .. } = rig.try_so("mary", MARYS, "AAAA BBBB CCCC", 180) else {
        panic!()
    };
    assert_eq!(recovery_left, Some(1));
    assert!(!rig.is_in(MARYS, "aaaa-bbbb-cccc", 181), "a recovery code works once");
    let nobody = rig.try_so("sam", MARYS, &code(240), 240);
    assert_eq!(nobody, Outcome::Wrong { person: None, locks: false });
    let file = rig.home.private(FILE);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!std::fs::read_to_string(&file).unwrap().contains("dddd"), "only hashes are kept");
    assert!(!format!("{:?}", rig.accounts.get("mary").unwrap()).contains("49, 50"));
}

// AC-1.
#[test]
fn ten_wrong_attempts_lock_until_somebody_unlocks() {
    let rig = rig();
    for n in 0..9 {
        let outcome = rig.try_so("mary", "wrong horse battery", "000000", n * 3600);
        assert_eq!(outcome, Outcome::Wrong { person: Some("mary".into()), locks: false }, "{n}");
    }
    let tenth = rig.try_so("mary", MARYS, "000000", 10 * 3600);
    assert_eq!(tenth, Outcome::Wrong { person: Some("mary".into()), locks: true });
    assert!(!rig.is_in(MARYS, &code(12 * 3600), 12 * 3600), "locked, whatever is right");
    let later = Accounts::new(rig.home.clone());
    assert!(later.get("mary").unwrap().unwrap().locked.is_some(), "a new start does not help");
    assert!(rig.accounts.unlock("mary").unwrap() && !rig.accounts.unlock("mary").unwrap());
    assert!(rig.is_in(MARYS, &code(13 * 3600), 13 * 3600));
    assert_eq!(rig.accounts.get("mary").unwrap().unwrap().wrong, 0);
    // The tenth may be right.
    for n in 0..9 {
        rig.try_so("mary", "wrong horse battery", "000000", (20 + n) * 3600);
    }
    assert!(rig.is_in(MARYS, &code(40 * 3600), 40 * 3600));
    assert!(rig.accounts.get("mary").unwrap().unwrap().locked.is_none());
}

// AC-2 and AC-3.
#[test]
fn a_link_works_once_for_its_person_and_in_its_time() {
    let rig = rig();
    assert!(matches!(rig.accounts.set_up_link(at(1)), Err(AccountError::SetUp)));
    let link = rig.accounts.add("sam", Role::Operator, at(0)).unwrap();
    assert!(matches!(rig.accounts.add("sam", Role::Operator, at(0)), Err(AccountError::Taken(_))));
    assert_eq!(rig.accounts.link_is_for(&link, at(1)).unwrap().as_deref(), Some("sam"));
    assert!(matches!(rig.accounts.use_link(&link, "mary", at(1)), Err(AccountError::NoLink)));
    assert!(matches!(rig.accounts.link_is_for("guessed", at(1)), Err(AccountError::NoLink)));
    assert!(matches!(rig.accounts.use_link(&link, "sam", at(86_400)), Err(AccountError::LinkOld(_))));
    assert_eq!(rig.accounts.use_link(&link, "sam", at(2)).unwrap().role, Role::Operator);
    assert!(matches!(rig.accounts.use_link(&link, "sam", at(3)), Err(AccountError::LinkUsed(_))));
    // A newer link takes the place of an unused one.
    let one = rig.accounts.reset_second_factor("sam", at(4)).unwrap();
    let two = rig.accounts.reset_second_factor("sam", at(5)).unwrap();
    assert!(matches!(rig.accounts.link_is_for(&one, at(6)), Err(AccountError::NoLink)));
    assert!(rig.accounts.link_is_for(&two, at(6)).is_ok());
    assert!(
        !std::fs::read_to_string(rig.home.private(FILE)).unwrap().contains(&two),
        "only its hash is kept"
    );
}

#[test]
fn a_second_set_up_link_is_dead_once_there_is_a_manager_and_the_last_manager_stays() {
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(scratch.path());
    home.create().unwrap();
    let accounts = Accounts::new(home);
    let one = accounts.set_up_link(at(0)).unwrap();
    let two = accounts.set_up_link(at(1)).unwrap();
    assert!(matches!(accounts.use_link(&one, "mary", at(2)), Err(AccountError::NoLink)), "replaced");
    assert_eq!(accounts.use_link(&two, "mary", at(2)).unwrap().role, Role::Manager);
    assert!(matches!(accounts.remove("mary"), Err(AccountError::LastManager(_))));
    assert!(matches!(accounts.set_role("mary", Role::Reviewer), Err(AccountError::LastManager(_))));
    accounts.add("chen", Role::Manager, at(3)).unwrap();
    assert_eq!(accounts.set_role("mary", Role::Reviewer).unwrap(), Role::Manager);
    assert!(matches!(accounts.remove("chen"), Err(AccountError::LastManager(_))));
    accounts.remove("mary").unwrap();
    assert!(matches!(accounts.remove("mary"), Err(AccountError::Unknown(_))));
}

#[test]
fn roles_are_read_whole() {
    assert_eq!(Role::parse("attorney", Some("C-1")).unwrap().case(), Some("C-1"));
    for (name, case) in
        [("attorney", None), ("attorney", Some("a b")), ("manager", Some("C-1")), ("root", None)]
    {
        assert!(Role::parse(name, case).is_err(), "{name} {case:?}");
    }
    for name in ["manager", "reviewer", "operator", "person"] {
        assert_eq!(Role::parse(name, None).unwrap().name(), name);
    }
}
