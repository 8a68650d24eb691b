//! How many machines the practice key permits, where many enrol at once.

use super::*;
use crate::witness::trust::CurrentTrust;

fn enrolment(rig: &Rig, handle: &LedgerHandle, author: &str) -> Event {
    let author = Author::parse(author).unwrap();
    let origin = rig.practice.trust.slug.author_origin(&author);
    let key = NoteSigner::new(&origin, KeyType::Ed25519, &[7; 32]).unwrap().verifier().to_string();
    let body = serde_json::json!({"author": author.to_string(), "key": key, "epoch": 0});
    act::event(act::kind::ENROLMENT, handle.now(), body)
}

fn permitting(rig: &Rig, machines_max: u32) -> CurrentTrust {
    let trust = ntk_evidence::trust::TrustFile { machines_max, ..rig.practice.trust.clone() };
    CurrentTrust::new(trust, &rig.practice.trust_text)
}

fn enrolled(handle: &LedgerHandle) -> usize {
    handle.published().registry.machines.len()
}

#[test]
fn of_many_machines_that_enrol_at_once_no_more_are_taken_than_the_practice_key_permits() {
    let rig = Rig::new();
    let handle = rig.open(&SickDisk::default());
    let trust = permitting(&rig, 5);
    handle.hold_to(trust.clone());
    let act_of = |name: &str| enrolment(&rig, &handle, name);
    let together = |n: usize| (0..n).map(|n| act_of(&format!("agent/ws-{n:02}"))).collect::<Vec<_>>();
    let refused = handle.act_blocking(together(6));
    assert!(matches!(refused, Err(LedgerError::Full)), "in one request: all or none, {refused:?}");
    assert_eq!(enrolled(&handle), 0);

    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked = together(20).into_iter().map(|act| scope.spawn(|| handle.act_blocking(vec![act])));
        asked.collect::<Vec<_>>().into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 5);
    for refusal in answers.into_iter().filter_map(Result::err) {
        assert!(refusal.to_string().contains("as many machines as the practice key permits"), "{refusal}");
    }
    assert_eq!(enrolled(&handle), 5);

    // One that takes its own earlier place is none more; what enrols nobody goes on; a new trust file counts from then on.
    let first = handle.published().registry.machines.keys().next().unwrap().clone();
    let again = handle.act_blocking(vec![act_of(&format!("{first}.2"))]);
    assert!(again.is_ok(), "{again:?}");
    assert!(handle.act_blocking(vec![act_of("import/m365")]).is_ok());
    assert!(matches!(handle.act_blocking(vec![act_of("agent/one-more")]), Err(LedgerError::Full)));
    trust.replace(permitting(&rig, 6).now().0.as_ref().clone(), &rig.practice.trust_text);
    assert!(handle.act_blocking(vec![act_of("agent/one-more")]).is_ok());
    drop(handle);
    // A start counts what the log says.
    let handle = rig.open(&SickDisk::default());
    handle.hold_to(trust);
    let refused = handle.act_blocking(vec![enrolment(&rig, &handle, "agent/and-one")]);
    assert!(matches!(refused, Err(LedgerError::Full)), "{refused:?}");
    drop(handle);
    assert!(rig.self_check().passed);
}
