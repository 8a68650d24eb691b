//! Each durable step of a hand-over fails twice: not written, and written though reported failed. The former key is in
//! force, or the new one, and the same command comes to its end.

use std::fs;

use ntk_evidence::hash::Hash;
use serde_json::json;

use super::*;
use crate::desk::rig::Rig;
use crate::home::HomeError;

const LATER: &str = "2026-11-27T19:30:00Z";
const LATER_STILL: &str = "2026-11-27T19:31:00Z";

struct Office {
    rig: Rig,
    keys: String,
}

impl Office {
    async fn open() -> Self {
        let rig = Rig::start().await;
        let keys = fs::read_to_string(rig.scratch().join("keys.txt")).unwrap();
        Self { rig, keys }
    }

    fn held(&self) -> TrustFile {
        TrustFile::clone(&self.rig.app().trust.now().0)
    }

    fn place(&self, name: &str) -> PathBuf {
        self.rig.scratch().join(name)
    }

    /// What `trust.txt` holds, as a start would read it.
    fn on_disk(&self) -> TrustFile {
        TrustFile::parse(&fs::read(self.rig.app().practice.home.trust()).unwrap()).unwrap()
    }

    fn try_at(&self, made: &str, to: &[PathBuf], announced: &[String]) -> Result<Signed, HandOverError> {
        self.renew(Renewed::Practice, &self.keys, (made, to), announced)
    }

    fn renew(
        &self,
        renewed: Renewed,
        keys: &str,
        (made, to): (&str, &[PathBuf]),
        announced: &[String],
    ) -> Result<Signed, HandOverError> {
        let held = self.held();
        let why = "to Jane Doe: the manager changed";
        hand_over(HandOver { held: &held, renewed, keys, to, made, why, announced }, None)
    }

    async fn post(&self, signed: &Signed) -> u16 {
        self.rig.post("/v1/trust", json!({"text": signed.text, "programs": signed.programs})).await.0
    }

    /// The new key of a copy signs for this practice, and the former one does not.
    fn assert_new_in_force(&self, place: &PathBuf) {
        let (text, held) = (fs::read_to_string(place).unwrap(), self.held());
        assert_eq!(check(&text, &held), [Found::Ours; 2]);
        assert_eq!(check(&self.keys, &held), [Found::Former, Found::Ours]);
        assert_eq!(self.on_disk(), held);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_hands_over_and_the_act_says_to_which_one_when_and_why() {
    let office = Office::open().await;
    let former = office.held();
    let to = [office.place("a.txt"), office.place("b.txt")];
    let program = Announcement {
        slug: former.slug.clone(),
        version: "0.2.0".to_owned(),
        platform: "linux-x86_64".to_owned(),
        made: "2026-11-27T19:00:00Z".to_owned(),
        program: Hash::of(b"program"),
        packages: Vec::new(),
    };
    let now = TakenAway::read(&office.keys).unwrap().signer(&former.slug).unwrap();
    let announced = program.sign(&now).unwrap();
    assert_eq!(office.rig.post("/v1/programs", json!({"text": announced})).await.0, 200);

    let signed = office.try_at(LATER, &to, &[announced]).unwrap();
    assert_eq!(office.held(), former, "nothing is in force before it is posted");
    assert_eq!(office.post(&signed).await, 200);
    office.assert_new_in_force(&to[0]);
    assert_eq!(fs::read_to_string(&to[0]).unwrap(), fs::read_to_string(&to[1]).unwrap());
    let trust = office.held();
    assert_eq!((trust.founding_key(), trust.slug.as_str()), (&former.practice_key, former.slug.as_str()));
    assert!(trust.leads_from(&former) && trust.recovery == former.recovery);
    let (_, programs) = office.rig.get("/v1/programs").await;
    assert_eq!(
        programs["programs"].as_array().unwrap().len(),
        1,
        "the new key announced it again: {programs}"
    );

    // What is told: both keys in words, and what to do with the former one.
    let said = told(&signed, &former, Renewed::Practice);
    for needed in [former.practice_words(), trust.practice_words(), "Destroy every copy".to_owned()] {
        assert!(said.contains(&needed), "{said}");
    }

    // The former key is asked for nothing any more, and nothing that it signs is taken.
    assert!(
        matches!(office.try_at(LATER_STILL, &to, &[]), Err(HandOverError::Former(when)) if when == LATER)
    );
    let mut older = former.clone();
    older.made = LATER_STILL.to_owned();
    let (status, answer) = office.rig.post("/v1/trust", json!({"text": older.sign(&now).unwrap()})).await;
    assert_eq!(status, 400, "{answer}");
    let thief = TakenAway::new([66; 32], [67; 32]).signer(&former.slug).unwrap();
    older.hand_over(&now, &thief, LATER_STILL, "another manager").unwrap();
    let (status, answer) = office.rig.post("/v1/trust", json!({"text": older.sign(&thief).unwrap()})).await;
    assert_eq!(status, 400, "{answer}");
    assert_eq!(office.held(), trust);
    office.rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_cannot_be_written_changes_nothing_and_the_same_command_goes_on_with_the_same_key() {
    let office = Office::open().await;
    let former = office.held();
    let to = [office.place("a.txt"), office.place("not-mounted/b.txt")];
    // The first is not written.
    let gone = [office.place("not-mounted/a.txt")];
    assert!(matches!(
        office.try_at(LATER, &gone, &[]),
        Err(HandOverError::Copy(InitError::Home(HomeError::Write { .. })))
    ));
    assert_eq!((office.held(), office.on_disk()), (former.clone(), former.clone()));
    // The first is written and the second is not: what is there is not another key the next time.
    assert!(office.try_at(LATER, &to, &[]).is_err());
    let first = fs::read_to_string(&to[0]).unwrap();
    assert!(office.try_at(LATER, &to, &[]).is_err());
    assert_eq!(fs::read_to_string(&to[0]).unwrap(), first);
    fs::create_dir(office.place("not-mounted")).unwrap();
    // Both are written though it was reported that they are not.
    fs::copy(&to[0], &to[1]).unwrap();
    let signed = office.try_at(LATER, &to, &[]).unwrap();
    assert_eq!(fs::read_to_string(&to[1]).unwrap(), first);
    assert_eq!(office.post(&signed).await, 200);
    office.assert_new_in_force(&to[1]);
    office.rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trust_file_that_cannot_be_written_leaves_the_former_key_and_one_that_was_written_the_new_one() {
    let office = Office::open().await;
    let former = office.held();
    let to = [office.place("a.txt")];
    // Not written: the act is there, and the former key stays in force, for whoever asks and for the next start.
    let beside = office.rig.app().practice.home.dir().join("trust.txt.new");
    fs::create_dir(&beside).unwrap();
    let signed = office.try_at(LATER, &to, &[]).unwrap();
    assert_eq!(office.post(&signed).await, 503);
    assert_eq!((office.held(), office.on_disk()), (former.clone(), former.clone()));
    let rig = office.rig.again("2026-11-27T20:00:00Z").await;
    let office = Office { rig, keys: office.keys };
    assert_eq!(office.held(), former);
    fs::remove_dir(&beside).unwrap();
    let signed = office.try_at(LATER_STILL, &to, &[]).unwrap();
    // Written though reported failed: the next start finds the new key in force.
    fs::write(office.rig.app().practice.home.trust(), &signed.text).unwrap();
    let rig = office.rig.again("2026-11-27T21:00:00Z").await;
    let office = Office { rig, keys: office.keys };
    office.assert_new_in_force(&to[0]);
    assert!(matches!(office.try_at("2026-11-27T19:32:00Z", &to, &[]), Err(HandOverError::Former(_))));
    office.rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_another_practice_a_place_in_use_and_words_that_nobody_typed_back_hand_nothing_over() {
    let office = Office::open().await;
    let held = office.held();
    let tried = |keys: &str, to: &[PathBuf]| {
        hand_over(
            HandOver {
                held: &held,
                renewed: Renewed::Practice,
                keys,
                to,
                made: LATER,
                why: "a reason",
                announced: &[],
            },
            None,
        )
    };
    let strangers = TakenAway::new([3; 32], [4; 32]);
    let text = strangers.file(&held.practice, &held.slug, held.practice_key.public_bytes()).unwrap();
    let new = [office.place("a.txt")];
    assert!(matches!(tried(&text, &new), Err(HandOverError::NotTheKeys(_))));
    assert!(matches!(tried("nothing", &new), Err(HandOverError::NotTheKeys(_))));
    assert!(matches!(tried(&office.keys, &[]), Err(HandOverError::Nowhere)));
    // The file of now, a stranger's, and one that holds no keys.
    assert!(matches!(tried(&office.keys, &[office.place("keys.txt")]), Err(HandOverError::There(_))));
    for content in [text.as_str(), "mine"] {
        fs::write(&new[0], content).unwrap();
        assert!(matches!(tried(&office.keys, &new), Err(HandOverError::There(_))));
        assert_eq!(fs::read_to_string(&new[0]).unwrap(), content);
    }
    fs::remove_file(&new[0]).unwrap();
    // Two places with different new keys.
    let two = [office.place("b.txt"), office.place("c.txt")];
    for place in &two {
        let _signed = tried(&office.keys, std::slice::from_ref(place)).unwrap();
    }
    assert!(matches!(tried(&office.keys, &two), Err(HandOverError::Differ(_))));

    let order = HandOver {
        held: &held,
        renewed: Renewed::Practice,
        keys: &office.keys,
        to: &new,
        made: LATER,
        why: "a reason",
        announced: &[],
    };
    let mut refuse = |_: &TakenAway, _: &TrustFile| Err(PaperError::Ended);
    assert!(matches!(hand_over(order, Some(&mut refuse)), Err(HandOverError::Paper(PaperError::Ended))));
    assert!(!new[0].exists());
    for why in ["", "two\nlines"] {
        assert!(matches!(hand_over(HandOver { why, ..order }, None), Err(HandOverError::Succession(_))));
    }
    assert_eq!((office.held(), office.on_disk()), (held.clone(), held));
    office.rig.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_key_is_replaced_under_the_practice_key_of_now_and_the_former_one_is_told_from_a_strangers()
 {
    let office = Office::open().await;
    let former = office.held();
    let to = [office.place("a.txt"), office.place("b.txt")];
    let signed = office.renew(Renewed::Recovery, &office.keys, (LATER, &to), &[]).unwrap();
    assert_eq!(office.held(), former, "nothing is in force before it is posted");
    // The same command again goes on with the key that is on the sticks.
    fs::remove_file(&to[1]).unwrap();
    let again = office.renew(Renewed::Recovery, &office.keys, (LATER, &to), &[]).unwrap();
    assert_eq!(again, signed);
    assert_eq!(office.post(&signed).await, 200);
    let trust = office.held();
    assert_eq!((&trust.practice_key, trust.retired.len()), (&former.practice_key, 1));
    assert!(trust.recovery != former.recovery && trust.recovery_leads_from(&former));
    assert_eq!(office.on_disk(), trust);
    let new = fs::read_to_string(&to[0]).unwrap();
    assert_eq!(new, fs::read_to_string(&to[1]).unwrap());
    assert_eq!(check(&new, &trust), [Found::Ours; 2]);
    assert_eq!(check(&office.keys, &trust), [Found::Ours, Found::Former]);
    let said = told(&signed, &former, Renewed::Recovery);
    for needed in
        [former.recovery.as_str(), trust.recovery.as_str(), "still opens", "--former-keys", "90 days"]
    {
        assert!(said.contains(needed), "{needed}: {said}");
    }

    // A file with the former recovery key hands nothing over by itself; its practice key still replaces the recovery key.
    let third = [office.place("c.txt")];
    let tried = office.renew(Renewed::Practice, &office.keys, (LATER_STILL, &third), &[]);
    assert!(matches!(tried, Err(HandOverError::FormerRecovery(when)) if when == LATER));
    // The keys of now are no new ones.
    let tried = office.renew(Renewed::Recovery, &new, (LATER_STILL, &to), &[]);
    assert!(matches!(tried, Err(HandOverError::There(_))));
    // The practice key alone is enough where the recovery key is lost; both at once are both new.
    let alone = new.lines().find(|line| line.starts_with("practice key")).unwrap().to_owned();
    assert!(matches!(
        office.renew(Renewed::Practice, &alone, (LATER_STILL, &third), &[]),
        Err(HandOverError::NotTheKeys(_))
    ));
    let both = office.renew(Renewed::Both, &alone, (LATER_STILL, &third), &[]).unwrap();
    assert_eq!(office.post(&both).await, 200);
    let last = office.held();
    assert_eq!((last.succeeded.len(), last.retired.len()), (1, 2));
    assert_eq!(check(&fs::read_to_string(&third[0]).unwrap(), &last), [Found::Ours; 2]);
    assert_eq!(check(&new, &last), [Found::Former; 2]);

    // Nobody leads back: what the former key of both signed is not taken, nor a recipient that nobody signed.
    let swapped = both.text.replace(&last.recovery, &trust.recovery);
    assert_eq!(office.rig.post("/v1/trust", json!({"text": swapped})).await.0, 400);
    let signer =
        TakenAway::read(&fs::read_to_string(&third[0]).unwrap()).unwrap().signer(&last.slug).unwrap();
    let mut silent = last.clone();
    (silent.recovery, silent.made) = (former.recovery.clone(), "2026-11-27T19:40:00Z".to_owned());
    silent.retired.clear();
    let (status, answer) = office.rig.post("/v1/trust", json!({"text": silent.sign(&signer).unwrap()})).await;
    assert!(status == 400 && answer.to_string().contains("recovery key"), "{answer}");
    assert_eq!(office.held(), last);
    office.rig.end().await;
}
