//! The result as the running agent writes it: what it found in its own log, about the machine that it sees itself.

use ntk_evidence::event::{Commission, Event, Health, Kind, Source};
use ntk_evidence::time::Moment;

use super::SENSOR;
use super::claim::Claim;
use super::judge::{Facts, Scene, judge};
use super::older::Older;
use crate::clock;

/// Why nothing is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the machine, its kernel or this program was another one when the test began, or nothing says that it was not; run `ntk-agent commission` again"
)]
pub struct OtherMachine;

/// Whether the log holds the result of this test already.
pub fn is_sealed(id: &str, log: &[(u64, Event)]) -> bool {
    log.iter().any(|(_, event)| event.commission.as_ref().is_some_and(|commission| commission.id == id))
}

/// Which entries of the log are needed: those since the test began, and before it logins, health and other tests.
pub fn is_wanted(since: u64, number: u64, core: &str) -> bool {
    const BEFORE: [&str; 3] = ["\"kind\":\"login\"", "\"kind\":\"health\"", "\"kind\":\"commission\""];
    number >= since || BEFORE.iter().any(|kind| core.contains(kind))
}

/// The entry. `health` is the machine now, as health entries tell of it.
pub fn event(
    claim: &Claim,
    log: &[(u64, Event)],
    scene: &Scene<'_>,
    health: Health,
    older: Older,
    now: Moment,
) -> Result<Event, OtherMachine> {
    if !Facts::of(&health).hold_since(claim.since, log) {
        return Err(OtherMachine);
    }
    let (steps, actor) = judge(claim, log, scene);
    let mut event = Event::new(Kind::Commission, clock::text(now));
    event.actor = actor;
    event.source = Some(Source { sensor: Some(SENSOR.to_owned()), ..Source::default() });
    event.commission = Some(Box::new(Commission {
        id: claim.id.clone(),
        began: Some(claim.began.clone()),
        ended: Some(claim.ended.clone()),
        by: claim.by.clone(),
        present: claim.present.clone(),
        made_login: claim.session.is_none().then_some(true),
        steps,
        os: health.os,
        os_build: health.os_build,
        version: health.version,
        binary_sha256: health.binary_sha256,
        boot_id: health.boot_id,
        sensors: health.sensors,
        cannot_see: health.cannot_see,
        audit_enabled: health.audit_enabled,
        audit_at_boot: older.audit_at_boot,
        older_processes: older.n,
        older_names: older.names,
        ..Commission::default()
    }));
    Ok(event)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commission::claim::Made;
    use ntk_evidence::event::{CommissionOutcome, CommissionWhat};

    fn health(kernel: &str) -> Health {
        Health {
            os: Some(format!("Debian, kernel {kernel}")),
            boot_id: Some("b".into()),
            ..Health::default()
        }
    }

    fn log() -> Vec<(u64, Event)> {
        let mut event = Event::new(Kind::Health, "t");
        event.health = Some(Box::new(health("6.1.0-18")));
        vec![(4, event)]
    }

    fn claim() -> Claim {
        let invented = Made {
            what: CommissionWhat::Read,
            began: "t".into(),
            pid: Some(7),
            skipped: false,
            because: None,
        };
        Claim {
            id: "0123456789abcdef".into(),
            began: "t".into(),
            ended: "t".into(),
            since: 5,
            by: Some("Anna Roth".into()),
            present: vec!["Mary Lopez".into()],
            login_uid: 1001,
            sid: None,
            session: None,
            steps: vec![invented],
        }
    }

    #[test]
    fn what_is_only_said_is_sealed_as_not_arrived_and_the_rest_as_left_out() {
        let scene = Scene { folder: "/f", watched: &[], released: 9 };
        let now = Moment::parse("2026-11-20T21:00:00Z").unwrap();
        let event = event(&claim(), &log(), &scene, health("6.1.0-18"), Older::default(), now).unwrap();
        let commission = event.commission.unwrap();
        assert_eq!(commission.in_words(), "nothing was proved");
        assert_eq!((commission.by.as_deref(), commission.made_login), (Some("Anna Roth"), Some(true)));
        for step in &commission.steps {
            let expected = match step.what {
                CommissionWhat::Read | CommissionWhat::Receipt => CommissionOutcome::NotArrived,
                _ => CommissionOutcome::Skipped,
            };
            assert_eq!(step.outcome, expected, "{}", step.what);
        }
        assert_eq!(event.actor, None, "nobody was seen");
    }

    #[test]
    fn a_test_that_began_under_another_kernel_is_not_sealed() {
        let scene = Scene { folder: "/f", watched: &[], released: 9 };
        let now = Moment::parse("2026-11-20T21:00:00Z").unwrap();
        assert_eq!(
            event(&claim(), &log(), &scene, health("6.1.0-21"), Older::default(), now),
            Err(OtherMachine)
        );
    }

    #[test]
    fn a_result_is_sealed_once() {
        let mut sealed = Event::new(Kind::Commission, "t");
        sealed.commission =
            Some(Box::new(Commission { id: "0123456789abcdef".into(), ..Commission::default() }));
        assert!(is_sealed("0123456789abcdef", &[(9, sealed)]));
        assert!(!is_sealed("0123456789abcdef", &log()));
        let core = "{\"kind\":\"file_access\",\"time\":\"t\"}";
        assert!(is_wanted(5, 5, core) && !is_wanted(5, 4, core));
        assert!(is_wanted(5, 4, "{\"kind\":\"login\",\"time\":\"t\"}"));
    }
}
