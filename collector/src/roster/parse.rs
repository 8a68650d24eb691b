//! From the text of a roster to a [`Roster`]: every fault named at once, with its key and line.

mod blocks;
mod lines;
mod people;

use sha2::{Digest, Sha256};

use super::Roster;
use lines::{Document, Faults};

pub(super) use lines::Fault;

/// A roster that was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RosterError {
    /// The text is not TOML.
    #[error("the roster is not readable as TOML: {message}")]
    Toml {
        /// What the reader said, with line and column.
        message: String,
    },
    /// The text is TOML, but says things that cannot be.
    #[error("the roster has {} to mend:\n- {}", crate::report::text::count(faults.len(), "thing", "things"), faults.join("\n- "))]
    Faults {
        /// One sentence each, beginning with the key.
        faults: Vec<String>,
    },
}

/// The blocks of a roster, for a text that has another one.
const BLOCKS: &str = "[[person]], [[organisation]], [[account]], [[ssh_key]], [[cover]], [[leave]], [[job]], [[notice]], [[acknowledgement]] and [[machine]]";

/// Reads a roster. A text that an earlier version took stays readable: old entries are judged by it.
pub(super) fn parse(text: &str) -> Result<Roster, RosterError> {
    match read(text) {
        Err(error) => Err(RosterError::Toml { message: error.to_string() }),
        Ok(Ok(roster)) => Ok(roster),
        Ok(Err(faults)) => {
            Err(RosterError::Faults { faults: faults.iter().map(ToString::to_string).collect() })
        }
    }
}

/// The roster or its faults, for who has to say in other words where they are.
pub(super) fn read(text: &str) -> Result<Result<Roster, Vec<Fault>>, toml::de::Error> {
    let mut document = Document::read(text)?;
    let mut faults = Faults::default();
    let mut roster = Roster { version: version_of(text), ..Roster::default() };
    // In this order: who is there, what they hold, what is said about them.
    for block in document.take("organisation", &mut faults) {
        people::add_organisation(&mut roster, block, &mut faults);
    }
    for block in document.take("person", &mut faults) {
        people::add_person(&mut roster, block, &mut faults);
    }
    for block in document.take("account", &mut faults) {
        people::add_account(&mut roster, block, &mut faults);
    }
    for block in document.take("ssh_key", &mut faults) {
        people::add_key(&mut roster, block, &mut faults);
    }
    for block in document.take("cover", &mut faults) {
        blocks::add_cover(&mut roster, block, &mut faults);
    }
    for block in document.take("leave", &mut faults) {
        blocks::add_leave(&mut roster, block, &mut faults);
    }
    for block in document.take("job", &mut faults) {
        blocks::add_job(&mut roster, block, &mut faults);
    }
    for block in document.take("notice", &mut faults) {
        blocks::add_notice(&mut roster, block, &mut faults);
    }
    for block in document.take("acknowledgement", &mut faults) {
        blocks::add_acknowledgement(&mut roster, block, &mut faults);
    }
    for block in document.take("machine", &mut faults) {
        blocks::add_machine(&mut roster, block, &mut faults);
    }
    for (name, line) in document.left() {
        faults.text(line, name, format!("unknown; a roster has {BLOCKS}"));
    }
    let faults = faults.in_order();
    if !faults.is_empty() {
        return Ok(Err(faults));
    }
    roster.settle_leave();
    Ok(Ok(roster))
}

/// SHA-256 of a text in hex: the version of a roster, the hash of a policy.
pub(crate) fn version_of(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn every_fault_is_named_at_once() {
        let text = r#"
            [people]
            [[person]]
            id = "a"
            name = ""
            roles = []
            email = "nowhere"
            employed_from = "2026-11-30"
            leave_date = "2026-11-01"
            [[person]]
            id = "a"
            name = "B"
            roles = ["physician"]
            leave_date = "soon"
            [[person]]
            id = "c"
            nmae = "C"
            [[account]]
            person = "zoe"
            uid = 1001
            [[account]]
            person = "a"
            host = "ws-01"
            [[account]]
            person = "a"
            host = "ws-01"
            user = "x"
            [[account]]
            person = "a"
            user = "x"
            [[ssh_key]]
            person = "a"
            fingerprint = "MD5:00"
            [[account]]
            shared_by = ["a"]
            user = "y"
            [[account]]
            user = "z"
            [[job]]
            id = "j"
            name = "J"
            program = "restic"
            host = "ws-01"
            hours = "22:00-05:00"
            classes = ["mailbox", "post"]
            sha256 = "abc"
            [[cover]]
            person = "a"
            covers = "a"
            from = "2026-11-06"
            to = "2026-11-02"
            [[leave]]
            person = "a"
            [[notice]]
            id = "n"
            title = "N"
            version = "1"
            kind = "news"
            in_force_from = "2026-11-02"
            [[acknowledgement]]
            person = "a"
            notice = "m"
            version = "1"
            on = "yesterday"
            [[machine]]
            name = "ws-01"
            addresses = ["ws-01.example"]
            [organisation]
            id = "o"
        "#;
        let error = Roster::parse(text).unwrap_err();
        expect![[r#"
            the roster has 28 things to mend:
            - people (line 2): unknown; a roster has [[person]], [[organisation]], [[account]], [[ssh_key]], [[cover]], [[leave]], [[job]], [[notice]], [[acknowledgement]] and [[machine]]
            - person[0].name (line 5): is empty
            - person[0].roles (line 6): is empty; without a role no row of the table applies
            - person[0].email (line 7): is not a mail address
            - person[0].leave_date (line 9): is before employed_from
            - person[1].id (line 11): `a` is already another person’s id
            - person[1].leave_date (line 14): `soon` is not a date; write it as "2026-11-30"
            - person[2] (line 17): unknown field `nmae`, expected one of `id`, `name`, `roles`, `organisation`, `email`, `employed_from`, `leave_date`, `contract_until`, `notice_given`
            - account[0].person (line 19): nobody in the roster has the id `zoe`
            - account[0].uid (line 20): needs a host, because a uid means another account on each machine
            - account[1] (line 21): names no account; give one of uid, user, sid, upn, ehr_user
            - account[3] (line 28): this account is already held by `a`; where several people use it, write one block with shared_by = [..]
            - ssh_key[0].fingerprint (line 33): write it as sshd does, `SHA256:...` (ssh-keygen -lf FILE)
            - account[4].shared_by (line 35): names fewer than two people; write person = ".." for an account of one
            - account[5] (line 37): names no holder; give person, or shared_by = [..] for a shared account
            - job[0] (line 39): names no account; give uid or user
            - job[0].program (line 42): `restic` is not a full path
            - job[0].hours (line 44): `22:00-05:00` ends before it begins; write hours over midnight as two, "22:00-24:00, 00:00-05:00"
            - job[0].classes (line 45): `post` is none of mailbox, voicemail, ehr, export, hr, backup, system, self
            - job[0].sha256 (line 46): is not 64 hex digits; `sha256sum FILE` prints them
            - cover[0].covers (line 49): is the same person
            - cover[0].to (line 51): is before from
            - leave[0] (line 52): says no day; give on, or withdrawn = true to take back what was said before
            - notice[0].kind (line 58): `news` is none of monitoring, sanctions
            - acknowledgement[0].notice (line 62): there is no [[notice]] with the id `m`
            - acknowledgement[0].on (line 64): `yesterday` is not a date; write it as "2026-11-30"
            - machine[0].addresses (line 67): `ws-01.example` is not an address such as 10.0.4.17; a name belongs into name
            - organisation (line 68): write [[organisation]] with two brackets, once for each entry"#]]
        .assert_eq(&error.to_string());
    }

    #[test]
    fn text_that_is_not_toml_is_answered_with_the_place() {
        let error = Roster::parse("[[person]\nid = 1").unwrap_err();
        assert!(error.to_string().contains("line 1"), "{error}");
    }

    #[test]
    fn the_version_is_the_hash_of_the_exact_text() {
        let empty = Roster::parse("").unwrap();
        assert_eq!(empty.version(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_ne!(Roster::parse("\n").unwrap().version(), empty.version());
    }
}
