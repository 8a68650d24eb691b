//! A ledger filled again from packages that are whole, cut, damaged, forged or another practice's.

use std::fs;
use std::path::Path;

use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::event::Kind as EventKind;
use ntk_evidence::hash::{Hash, hex};
use ntk_evidence::merkle::leaf_hash;
use ntk_evidence::name::Slug;
use ntk_evidence::tree::{MemoryTree, inclusion_proof, root};
use ntk_segment::frame::{AuthorState, Commit, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::pointer::SegmentNumber;

use super::*;
use crate::ledger::to_frame;
use crate::practice::Practice;
use crate::recovery;
use crate::self_check::self_check;

const PRACTICE: [u8; 32] = [1; 32];
const RECOVERY: [u8; 32] = [2; 32];

fn slug() -> Slug {
    let practice = NoteSigner::new("practice", KeyType::Ed25519, &PRACTICE).unwrap();
    Slug::new("maple-street", practice.verifier().public_bytes()).unwrap()
}

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::new(name, KeyType::Ed25519, &[seed; 32]).unwrap()
}

fn trust(practice_seed: [u8; 32]) -> String {
    let practice = NoteSigner::new("practice", KeyType::Ed25519, &practice_seed).unwrap();
    let slug = Slug::new("maple-street", practice.verifier().public_bytes()).unwrap();
    let keys = Keys::of(slug.clone(), practice_seed, RECOVERY).unwrap();
    let mut trust = keys.trust("Maple Street Family Practice", Clock::system().now());
    trust.log = signer(&slug.log_origin(), 11).verifier().clone();
    trust.collector = signer(&format!("{slug}/collector"), 12).verifier().clone();
    trust.sign(&NoteSigner::new(&slug.practice_name(), KeyType::Ed25519, &practice_seed).unwrap()).unwrap()
}

/// A machine's log of five segments of two batches of three entries each, of which the old ledger acknowledged all
/// but the last batch; and its package.
struct Machine {
    folder: tempfile::TempDir,
}

const PER_SEGMENT: u64 = 6;
const SIZE: u64 = 30;
const ACKNOWLEDGED: u64 = 27;

fn entry(machine: &str, number: u64) -> Entry {
    let mut event = Event::new(EventKind::Login, format!("2026-11-20T21:00:{number:02}Z"));
    event.source =
        Some(ntk_evidence::event::Source { record: Some(machine.to_owned()), ..Default::default() });
    Entry::freeze(event).unwrap()
}

impl Machine {
    fn new(name: &str) -> Self {
        Self::that_says(name, name)
    }

    /// Its entries carry this word; the receipt is of the history that carries the machine's name.
    fn that_says(name: &str, word: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let author = Author::agent(name).unwrap();
        let own = signer(&slug().author_origin(&author), 21);
        let batches = |word: &str| {
            let mut log = AuthorLog::new(&slug(), author.clone(), own.verifier().clone());
            let mut batches = Vec::new();
            for first in (0..SIZE).step_by(3) {
                let entries = (first..first + 3).map(|number| entry(word, number)).collect();
                let (batch, next) = log.seal(entries, BatchKey::new([7; 32]), &own).unwrap();
                batches.push((log, batch));
                log = next;
            }
            batches
        };
        let plain = folder.path().join("plain");
        let recipient = recovery::identity(&RECOVERY).unwrap().to_public();
        let state = |log: &AuthorLog| State {
            authors: vec![AuthorState {
                author: author.to_string(),
                key: own.verifier().to_string(),
                epoch: 0,
                size: log.size(),
                range: log.range().hashes().iter().map(|hash| *hash.as_bytes()).collect(),
            }],
            decided: b"{\"began_unix_ns\":1}".to_vec(),
            ..State::default()
        };
        let sealed = batches(word);
        let mut segments = SegmentLog::create(&plain, Options::default(), state(&sealed[0].0)).unwrap();
        for (log, batch) in &sealed {
            if log.size() > 0 && log.size() % PER_SEGMENT == 0 {
                segments.roll(state(log)).unwrap();
            }
            segments.append(&to_frame(batch)).unwrap();
            let commit = Commit { received_unix_ns: 0, checkpoint: b"{}".to_vec() };
            let _durable = segments.commit(&commit).unwrap();
        }
        drop(segments);
        for (name, place) in [("kept", 0..4u64), ("live", 4..5)] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
            for nth in place {
                let number = number(nth);
                let bytes = fs::read(plain.join(format!("{number}.seg"))).unwrap();
                let sealed = age::encrypt(&recipient, &bytes).unwrap();
                fs::write(folder.path().join(name).join(format!("{number}.age")), sealed).unwrap();
            }
        }
        fs::remove_dir_all(&plain).unwrap();
        let honest = batches(name);
        let notes: Vec<Vec<u8>> = (0..40).map(|n| format!("somebody else's note {n}").into_bytes()).collect();
        let acknowledged = &honest[usize::try_from(ACKNOWLEDGED / 3).unwrap() - 1].1;
        let leaves = notes.iter().chain([&acknowledged.note]).map(|note| leaf_hash(note));
        let tree = MemoryTree::of(leaves);
        let log = Checkpoint { origin: slug().log_origin(), size: 41, root: root(&tree, 41).unwrap() };
        let note = log.sign(&signer(&slug().log_origin(), 11)).unwrap();
        let position = json!({
            "released": ACKNOWLEDGED, "checkpoint": note,
            "receipt": {"size": ACKNOWLEDGED, "note": String::from_utf8_lossy(&acknowledged.note),
                "leaf_index": 40, "inclusion": inclusion_proof(&tree, 40, 41).unwrap(), "checkpoint": note},
        });
        fs::write(folder.path().join("position.json"), position.to_string()).unwrap();
        fs::write(folder.path().join("trust.txt"), trust(PRACTICE)).unwrap();
        let identity = format!(
            "slug = \"{}\"\nauthor = \"{author}\"\nepoch = 0\nlog_key = \"{}\"\ncollector = \"c:1\"\nserver_name = \"c\"\n",
            slug(),
            signer(&slug().log_origin(), 11).verifier()
        );
        fs::write(folder.path().join("identity.toml"), identity).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn kept(&self, nth: u64) -> PathBuf {
        self.path("kept").join(format!("{}.age", number(nth)))
    }
}

fn number(nth: u64) -> SegmentNumber {
    SegmentNumber::new(SegmentNumber::FIRST.value() + nth)
}

fn options(from: &[&Path]) -> RefillOptions {
    RefillOptions {
        init: InitOptions {
            name: String::new(),
            timezone: "America/New_York".into(),
            template: "small-practice".into(),
            keys_to: Vec::new(),
            administers: BTreeMap::new(),
            listen: "127.0.0.1:0".into(),
            console: None,
            console_address: None,
            place: None,
            at_rest: None,
        },
        keys: format!("practice key  {}\nrecovery key  {}\n", hex(&PRACTICE), hex(&RECOVERY)),
        former_keys: Vec::new(),
        from: from.iter().map(|folder| folder.to_path_buf()).collect(),
        roster: None,
        policy: None,
        expected: vec!["ws-09".into()],
    }
}

fn filled(machines: &[&Machine]) -> (tempfile::TempDir, Result<Refilled, RefillError>) {
    let folders: Vec<&Path> = machines.iter().map(|machine| machine.folder.path()).collect();
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(scratch.path().join("collector"));
    let made = refill(&home, options(&folders), &Clock::system(), |_, _| {});
    (scratch, made)
}

/// Fills, checks the whole new ledger, and returns what is here and what is gone.
fn checked(machines: &[&Machine]) -> (Vec<(String, u64, u64)>, String) {
    let (scratch, made) = filled(machines);
    let made = made.unwrap();
    let practice = Practice::open(Home::new(scratch.path().join("collector"))).unwrap();
    let reader = ntk_segment::reader::Reader::open(&practice.home.ledger()).unwrap();
    let check = self_check(&practice, &reader, |_| {}).unwrap();
    assert!(check.passed, "{}", check.sentence);
    (made.machines, made.gone.join("\n"))
}

#[test]
fn what_machines_kept_is_in_the_new_ledger_and_what_is_not_is_named() {
    let (one, two) = (Machine::new("ws-01"), Machine::new("ws-02"));
    let (here, gone) = checked(&[&one, &two]);
    assert_eq!(here, [("agent/ws-01".into(), 0, SIZE), ("agent/ws-02".into(), 0, SIZE)]);
    assert!(
        gone.contains("held 41 batches as far as the machines remember. 18 of them are here, 23 are gone"),
        "{gone}"
    );
    assert!(gone.contains("Of ws-01, for entries 27 to 29 only the machine itself speaks"), "{gone}");
    assert!(gone.contains("Of ws-09 nothing is here."), "{gone}");
    assert!(!gone.contains("Of ws-02 nothing"), "{gone}");
}

#[test]
fn a_log_whose_first_segments_are_gone_begins_later() {
    let machine = Machine::new("ws-01");
    fs::remove_file(machine.kept(0)).unwrap();
    fs::remove_file(machine.kept(1)).unwrap();
    let (here, gone) = checked(&[&machine]);
    assert_eq!(here, [("agent/ws-01".into(), 12, SIZE)]);
    assert!(gone.contains("Of ws-01, entries 0 to 11 are gone"), "{gone}");
}

#[test]
fn a_segment_that_is_missing_flipped_or_swapped_in_the_middle_cuts_what_is_before_it_and_is_named() {
    type Harm = fn(&Machine);
    let harms: [(&str, Harm); 4] = [
        ("missing", |machine| fs::remove_file(machine.kept(2)).unwrap()),
        ("flipped", |machine| {
            let mut bytes = fs::read(machine.kept(2)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(machine.kept(2), bytes).unwrap();
        }),
        ("cut", |machine| {
            let bytes = fs::read(machine.kept(2)).unwrap();
            fs::write(machine.kept(2), &bytes[..bytes.len() - 40]).unwrap();
        }),
        ("empty", |machine| fs::write(machine.kept(2), "").unwrap()),
    ];
    for (what, harm) in harms {
        let machine = Machine::new("ws-01");
        harm(&machine);
        let (here, gone) = checked(&[&machine]);
        assert_eq!(here, [("agent/ws-01".into(), 18, SIZE)], "{what}");
        assert!(gone.contains("entries 0 to 17 are gone"), "{what}: {gone}");
        assert_eq!(gone.contains("Not used: "), what != "missing", "{what}: {gone}");
        // A second, whole copy of the package closes the hole again.
        let whole = Machine::new("ws-01");
        let (here, _) = checked(&[&machine, &whole]);
        assert_eq!(here, [("agent/ws-01".into(), 0, SIZE)], "{what}");
    }
    // A segment of an earlier number in the place of a later one: it does not continue what stands before it.
    let machine = Machine::new("ws-01");
    fs::copy(machine.kept(1), machine.kept(3)).unwrap();
    let (here, gone) = checked(&[&machine]);
    assert_eq!(here, [("agent/ws-01".into(), 24, SIZE)], "{gone}");
    assert!(gone.contains("Not used: "), "{gone}");
}

#[test]
fn a_package_that_tells_another_history_than_was_acknowledged_is_refused() {
    let forged = Machine::that_says("ws-01", "forged");
    let (scratch, made) = filled(&[&forged]);
    let error = made.unwrap_err();
    assert!(matches!(error, RefillError::OtherHistory { size: ACKNOWLEDGED, .. }), "{error}");
    assert!(!scratch.path().join("collector/collector.toml").exists(), "no practice was made");
    // Without its receipt nothing proves it: it goes in, and that is said.
    fs::remove_file(forged.path("position.json")).unwrap();
    let (_, gone) = checked(&[&forged]);
    assert!(gone.contains("for entries 0 to 29 only the machine itself speaks"), "{gone}");
    // Beside the honest package it is another history of one size.
    let honest = Machine::new("ws-01");
    let error = filled(&[&honest, &forged]).1.unwrap_err();
    assert!(matches!(error, RefillError::OtherHistory { .. }), "{error}");
}

#[test]
fn what_cannot_be_used_is_named_and_nothing_is_made() {
    type Harm = fn(&Machine);
    let harms: [(&str, Harm, &str); 7] = [
        (
            "another practice",
            |machine| fs::write(machine.path("trust.txt"), trust([9; 32])).unwrap(),
            "another practice key",
        ),
        ("no trust file", |machine| fs::remove_file(machine.path("trust.txt")).unwrap(), "could not read"),
        (
            "a forged receipt",
            |machine| {
                let text = fs::read_to_string(machine.path("position.json")).unwrap();
                fs::write(
                    machine.path("position.json"),
                    text.replace("\"leaf_index\":40", "\"leaf_index\":39"),
                )
                .unwrap();
            },
            "position.json",
        ),
        (
            "a receipt of another size",
            |machine| {
                let text = fs::read_to_string(machine.path("position.json")).unwrap();
                fs::write(machine.path("position.json"), text.replace("\"size\":27", "\"size\":24")).unwrap();
            },
            "another size than its note",
        ),
        (
            "another machine's name",
            |machine| {
                let text = fs::read_to_string(machine.path("identity.toml")).unwrap();
                fs::write(machine.path("identity.toml"), text.replace("agent/ws-01", "agent/ws-02")).unwrap();
            },
            "the log of another machine",
        ),
        (
            "no identity",
            |machine| fs::remove_file(machine.path("identity.toml")).unwrap(),
            "neither a package",
        ),
        (
            "nothing kept",
            |machine| {
                fs::remove_dir_all(machine.path("kept")).unwrap();
                fs::remove_dir_all(machine.path("live")).unwrap();
            },
            "no entry of any machine",
        ),
    ];
    for (what, harm, said) in harms {
        let machine = Machine::new("ws-01");
        harm(&machine);
        let (scratch, made) = filled(&[&machine]);
        let error = crate::error_chain(&made.unwrap_err());
        assert!(error.contains(said), "{what}: {error}");
        assert!(!scratch.path().join("collector").exists(), "{what}: nothing was made");
    }
    let machine = Machine::new("ws-01");
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(scratch.path().join("collector"));
    let mut other = options(&[machine.folder.path()]);
    other.keys = format!("practice key  {}\nrecovery key  {}\n", hex(&PRACTICE), hex(&[3; 32]));
    let error = refill(&home, other, &Clock::system(), |_, _| {}).unwrap_err();
    assert!(matches!(error, RefillError::Nothing(_)), "another recovery key reads nothing: {error}");
    let mut other = options(&[machine.folder.path()]);
    other.keys = "nothing".into();
    assert!(matches!(refill(&home, other, &Clock::system(), |_, _| {}), Err(RefillError::Keys(_))));
    // After all that a refill of the same folder works, and a second one is refused.
    let again = || refill(&home, options(&[machine.folder.path()]), &Clock::system(), |_, _| {});
    again().unwrap();
    assert!(matches!(again(), Err(RefillError::Init(InitError::AlreadyThere(_)))));
}

#[test]
fn a_refill_that_was_cut_before_its_end_can_be_run_again() {
    let machine = Machine::new("ws-01");
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(scratch.path().join("collector"));
    let run = || refill(&home, options(&[machine.folder.path()]), &Clock::system(), |_, _| {});
    run().unwrap();
    // The configuration is what makes it a practice: without it the refill did not come to its end.
    fs::remove_file(home.config()).unwrap();
    let made = run().unwrap();
    assert_eq!(made.machines, [("agent/ws-01".into(), 0, SIZE)]);
}

#[test]
fn what_was_said_last_of_a_second_reviewer_counts_whichever_copy_is_read_first() {
    let named = |person: &str, because: Option<&str>| {
        let step =
            SecondStep::Named { person: person.into(), agreed: None, because: because.map(str::to_owned) };
        move |mut standing: Standing| {
            standing.apply("x", step);
            Some(standing)
        }
    };
    let mut found = Found::default();
    found.second("2026-01-01T00:00:00.000Z", |_| Some(Standing::of_init(&json!({}))));
    found.second("2026-03-01T00:00:00.000Z", named("sam", Some("moved away")));
    // An older copy of the same ledger comes second.
    found.second("2026-01-01T00:00:00.000Z", |_| Some(Standing::of_init(&json!({}))));
    found.second("2026-02-01T00:00:00.000Z", named("chen", None));
    found.second("2026-04-01T00:00:00.000Z", |_| None);
    let standing = found.second.map(|(_, standing)| standing);
    assert_eq!(standing.as_ref().and_then(Standing::person), Some("sam"));
    let (init, act) = taken_over(standing.as_ref());
    assert_eq!(Standing::of_init(&init), Standing::NotAsked);
    let mut again = Standing::of_init(&init);
    again.apply("y", serde_json::from_value(act.unwrap()).unwrap());
    assert_eq!(again.person(), Some("sam"));
    assert!(matches!(again, Standing::Named { without_agreement: Some(why), .. } if why == "moved away"));
    // What was said at set-up goes on as it was said; of what nobody knows nothing is said.
    for before in [
        Standing::Intended { name: "Dr. Chen".into() },
        Standing::Declined { because: "two of us".into() },
        Standing::NotAsked,
    ] {
        let (init, act) = taken_over(Some(&before));
        assert_eq!((Standing::of_init(&init), act), (before, None));
    }
    assert_eq!(taken_over(None), (json!({"refilled": true}), None));
}

/// A copy of the old ledger without a segment, with settings that this key signed.
fn copy_with_settings(seed: u8, password: &str, log_size: u64) -> tempfile::TempDir {
    use crate::off_site::list::{self, Newest, SettingsObject};
    use crate::off_site::settings::{CONFIGURATION, Settings};

    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("segments")).unwrap();
    fs::write(folder.path().join("trust.txt"), trust(PRACTICE)).unwrap();
    let files =
        [("mail-password".to_owned(), password.to_owned()), (CONFIGURATION.to_owned(), "# old".to_owned())];
    let settings = Settings {
        slug: slug().to_string(),
        made: "2026-11-27T19:00:00Z".into(),
        log_size,
        files: files.into(),
    };
    let signed = settings.sign(&signer(&format!("{}/collector", slug()), seed));
    let recipient = recovery::identity(&RECOVERY).unwrap().to_public();
    let sealed = age::encrypt(&recipient, &signed.plain).unwrap();
    let object = SettingsObject {
        recipient: recipient.to_string(),
        mark: None,
        sha256: Hash::of(&sealed).to_hex(),
        files_sha256: signed.files_sha256,
    };
    fs::write(folder.path().join(object.name()), sealed).unwrap();
    let list = Newest { settings: Some(object), ..Newest::empty(slug().as_str(), "2026-11-27T19:00:00Z") };
    fs::write(folder.path().join(list::NAME), list.to_bytes()).unwrap();
    folder
}

fn filled_with_copies(copies: &[&tempfile::TempDir]) -> (Option<String>, String, tempfile::TempDir) {
    let machine = Machine::new("ws-01");
    let mut folders = vec![machine.folder.path()];
    folders.extend(copies.iter().map(|copy| copy.path()));
    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(scratch.path().join("collector"));
    let made = refill(&home, options(&folders), &Clock::system(), |_, _| {}).unwrap();
    (home.read_secret("mail-password").ok(), made.gone.join("\n"), scratch)
}

#[test]
fn copied_settings_are_put_back_with_their_time_and_the_newest_of_several_counts() {
    let (old, new) = (copy_with_settings(12, "winter", 30), copy_with_settings(12, "summer", 41));
    for copies in [[&old, &new], [&new, &old]] {
        let (password, gone, scratch) = filled_with_copies(&copies);
        assert_eq!(password.as_deref(), Some("summer"));
        assert!(gone.contains("those of 2026-11-27T19:00:00Z, when the old log had 41 leaves"), "{gone}");
        let before = fs::read_to_string(scratch.path().join("collector/collector.toml.before")).unwrap();
        assert_eq!(before, "# old");
    }
}

#[test]
fn settings_that_somebody_else_signed_changed_swapped_or_took_away_are_not_put_back_and_that_is_said() {
    fn object(copy: &tempfile::TempDir) -> PathBuf {
        let mut entries = fs::read_dir(copy.path()).unwrap().map(|entry| entry.unwrap().path());
        entries.find(|path| path.file_name().unwrap().to_string_lossy().starts_with("settings-")).unwrap()
    }
    let forged = copy_with_settings(13, "planted", 99);
    let swapped = copy_with_settings(12, "summer", 41);
    fs::copy(object(&copy_with_settings(12, "winter", 30)), object(&swapped)).unwrap();
    let cut = copy_with_settings(12, "summer", 41);
    let bytes = fs::read(object(&cut)).unwrap();
    fs::write(object(&cut), &bytes[..bytes.len() - 1]).unwrap();
    let gone_there = copy_with_settings(12, "summer", 41);
    fs::remove_file(object(&gone_there)).unwrap();
    let good = copy_with_settings(12, "winter", 30);
    for (copy, why) in [
        (&forged, "were not signed by the collector"),
        (&swapped, "not what the list beside them names"),
        (&cut, "not what the list beside them names"),
        (&gone_there, "missing there"),
    ] {
        let (password, gone, _scratch) = filled_with_copies(&[copy]);
        assert_eq!(password, None, "{why}");
        assert!(gone.contains(why) && gone.contains("Set passphrases and second factors anew"), "{gone}");
        let (password, gone, _scratch) = filled_with_copies(&[copy, &good]);
        assert_eq!(password.as_deref(), Some("winter"), "{why}");
        assert!(gone.contains(why), "{gone}");
    }
}

#[test]
fn after_a_hand_over_the_new_key_fills_again_from_what_knows_only_the_former_and_not_the_other_way() {
    let (away, here) = (Machine::new("ws-01"), Machine::new("ws-02"));
    let before = TrustFile::parse(trust(PRACTICE).as_bytes()).unwrap();
    let key = |seed| NoteSigner::new(&slug().practice_name(), KeyType::Ed25519, &seed).unwrap();
    let (former, next) = (key(PRACTICE), key([31; 32]));
    let mut after = before.clone();
    after.hand_over(&former, &next, &before.made, "the manager changed").unwrap();
    let earlier = away.path("trust.txt");
    fs::write(&earlier, before.sign(&former).unwrap()).unwrap();
    fs::write(here.path("trust.txt"), after.sign(&next).unwrap()).unwrap();

    let scratch = tempfile::tempdir().unwrap();
    let home = Home::new(scratch.path().join("collector"));
    let filled = |from: &[&Path], practice: [u8; 32]| {
        let mut options = options(from);
        options.keys = format!("practice key  {}\nrecovery key  {}\n", hex(&practice), hex(&RECOVERY));
        refill(&home, options, &Clock::system(), |_, _| {})
    };
    let (away, here) = (away.folder.path(), here.folder.path());
    for (from, practice) in [(&[away, here][..], PRACTICE), (&[away][..], [31; 32])] {
        let error = filled(from, practice).unwrap_err();
        assert!(matches!(error, RefillError::OtherPractice(_)), "{error}");
    }
    filled(&[away, here], [31; 32]).unwrap();
    let made = TrustFile::parse(&fs::read(home.trust()).unwrap()).unwrap();
    assert_eq!(
        (&made.slug, &made.succeeded, &made.practice_key),
        (&slug(), &after.succeeded, next.verifier())
    );
    assert!(made.leads_from(&before));
}

#[test]
fn after_the_recovery_key_was_replaced_both_keys_fill_again_and_with_one_the_other_is_asked_for() {
    let machine = Machine::new("ws-01");
    let mut after = TrustFile::parse(trust(PRACTICE).as_bytes()).unwrap();
    let (former, made) = (after.recovery.clone(), after.made.clone());
    let next = [9; 32];
    after.replace_recovery(&recipient(&next).unwrap(), &made, "a stick was lost").unwrap();
    let key = NoteSigner::new(&slug().practice_name(), KeyType::Ed25519, &PRACTICE).unwrap();
    fs::write(machine.path("trust.txt"), after.sign(&key).unwrap()).unwrap();
    // What is in use is packed for the key of now, what was put away before is for the one of then.
    let live = machine.path("live").join(format!("{}.age", number(4)));
    let plain = age::decrypt(&recovery::identity(&RECOVERY).unwrap(), &fs::read(&live).unwrap()).unwrap();
    fs::write(&live, age::encrypt(&recovery::identity(&next).unwrap().to_public(), &plain).unwrap()).unwrap();

    let filled = |recovery: [u8; 32], former_keys: Vec<String>| {
        let scratch = tempfile::tempdir().unwrap();
        let home = Home::new(scratch.path().join("collector"));
        let mut options = options(&[machine.folder.path()]);
        options.keys = format!("practice key  {}\nrecovery key  {}\n", hex(&PRACTICE), hex(&recovery));
        options.former_keys = former_keys;
        refill(&home, options, &Clock::system(), |_, _| {})
            .map(|made| (made, TrustFile::parse(&fs::read(home.trust()).unwrap()).unwrap()))
    };
    let error = crate::error_chain(&filled(RECOVERY, Vec::new()).unwrap_err());
    assert!(error.contains("was replaced on") && error.contains("--former-keys"), "{error}");
    let (made, _) = filled(next, Vec::new()).unwrap();
    let gone = made.gone.join("\n");
    assert!(gone.contains(&former) && gone.contains("--former-keys"), "{gone}");
    assert_ne!(made.machines[0].1, 0, "only what is for the key of now: {:?}", made.machines);
    let (made, trust) = filled(next, vec![hex(&RECOVERY)]).unwrap();
    assert_eq!((made.machines[0].1, made.machines[0].2), (0, SIZE));
    assert!(!made.gone.join("\n").contains("--former-keys"), "{:?}", made.gone);
    assert_eq!((&trust.retired, &trust.recovery), (&after.retired, &after.recovery));
    // Replaced once more, and no source had heard of it: the practice key says so in the new trust file.
    let (_, trust) = filled([10; 32], vec![hex(&next), hex(&RECOVERY)]).unwrap();
    assert_eq!((trust.retired.len(), trust.recovery_leads_from(&after)), (2, true));
}
