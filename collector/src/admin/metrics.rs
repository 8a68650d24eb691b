//! Numbers for a monitoring system: Prometheus text format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats).
//!
//! Sizes, states and times by machine: no person, no account and no path ever stands here, so that who watches the
//! collector's health needs to know nothing else. A time or state that there is not yet has no sample, which an
//! alert on absence sees; 0 would be a claim. Where one process serves several practices, each sample says which is meant:
//! `practice="<short name>"`, as each line of the log does.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use ntk_evidence::time::Moment;

use crate::app::App;
use crate::disk::Forecast;
use crate::ledger::registry::Checked;
use crate::off_site::Standing;
use crate::witness::Until;

/// The media type of the text.
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// What the text is made from.
#[derive(Debug, Default)]
struct Numbers {
    /// Short name of the practice, where several work in this process.
    practice: Option<String>,
    /// Leaves of the collector's log.
    log_size: u64,
    /// Entries of each author.
    entries: BTreeMap<String, u64>,
    /// Each machine that may speak: whether it is connected, and whether it is silent.
    agents: BTreeMap<String, (bool, bool)>,
    /// Refusals since the collector's start, by reason.
    refusals: BTreeMap<String, u64>,
    /// The last check of the whole ledger.
    checked: Option<Checked>,
    /// The newest time-stamp.
    stamped: Option<Moment>,
    /// Questions to the authority that failed since the collector's start; none where nobody is asked.
    stamps_failed: Option<u64>,
    /// Until when the log is vouched for.
    witnessed: Until,
    /// The copy outside.
    off_site: Standing,
    /// The disk, where the system tells.
    disk: Option<Forecast>,
}

/// `GET /v1/metrics`.
pub(crate) async fn metrics(State(app): State<App>) -> Response {
    let published = app.ledger.published();
    let streams = app.liveness.streams();
    let registry = &published.registry;
    let agents =
        registry.machines.iter().filter(|(_, machine)| machine.revoked.is_none()).map(|(author, _)| {
            let is_connected = streams.get(author).is_some_and(|stream| stream.connected);
            (author.clone(), (is_connected, registry.silent.contains_key(author)))
        });
    let numbers = Numbers {
        practice: app.label.get().cloned(),
        log_size: published.checkpoint.checkpoint.size,
        entries: published
            .authors
            .iter()
            .map(|(author, known)| (author.to_string(), known.log.size()))
            .collect(),
        agents: agents.collect(),
        refusals: app.refusals.counts(),
        checked: registry.checked.clone(),
        stamped: registry.stamps.newest.as_ref().and_then(|newest| Moment::parse(&newest.time)),
        stamps_failed: app.practice.current().time_stamps.as_ref().map(|_| app.stamping.so_far().failed),
        witnessed: registry.witnessed.until(&app.trust.now().0),
        off_site: app.off_site.standing(),
        disk: app.disk.forecast(app.ledger.clock().now()),
    };
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], text(&numbers)).into_response()
}

fn text(numbers: &Numbers) -> String {
    let mut text = String::new();
    let practice = numbers.practice.as_ref().map(|practice| labelled("practice", practice));
    let mut metric = |name: &str, kind: &str, help: &str, samples: Vec<(Option<String>, i128)>| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (own, value) in samples {
            let labels: Vec<String> = practice.iter().cloned().chain(own).collect();
            let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let alone = |value: Option<i128>| value.map(|value| (None, value)).into_iter().collect();
    let per = |label: &str, values: &BTreeMap<String, u64>| {
        values.iter().map(|(of, value)| (Some(labelled(label, of)), i128::from(*value))).collect()
    };
    let agents = |of: fn(&(bool, bool)) -> bool| {
        numbers
            .agents
            .iter()
            .map(|(author, state)| (Some(labelled("author", author)), i128::from(of(state))))
            .collect()
    };
    let time = |moment: Option<Moment>| alone(moment.map(|moment| i128::from(moment.unix_seconds())));
    let checked = numbers.checked.as_ref();

    metric("ntk_log_size", "gauge", "Leaves of the collector's log.", alone(Some(numbers.log_size.into())));
    metric(
        "ntk_author_entries",
        "gauge",
        "Entries in the log of each author.",
        per("author", &numbers.entries),
    );
    metric(
        "ntk_agent_connected",
        "gauge",
        "1 where the machine's stream is open now.",
        agents(|state| state.0),
    );
    metric(
        "ntk_agent_silent",
        "gauge",
        "1 where the machine was found to be silent and has not come back.",
        agents(|state| state.1),
    );
    metric(
        "ntk_refusals_total",
        "counter",
        "What was refused since the collector's start, by reason.",
        per("code", &numbers.refusals),
    );
    metric(
        "ntk_self_check_passed",
        "gauge",
        "1 where the last check of the whole ledger passed.",
        alone(checked.map(|checked| checked.passed.into())),
    );
    metric(
        "ntk_self_check_timestamp_seconds",
        "gauge",
        "When the whole ledger was last checked.",
        time(checked.and_then(|checked| Moment::parse(&checked.time))),
    );
    metric(
        "ntk_time_stamp_timestamp_seconds",
        "gauge",
        "The authority's time in the newest RFC 3161 time-stamp of the log.",
        time(numbers.stamped),
    );
    metric(
        "ntk_time_stamp_failures_total",
        "counter",
        "Questions to the time-stamping authority that failed since the collector's start.",
        alone(numbers.stamps_failed.map(i128::from)),
    );
    metric(
        "ntk_witnessed_inside_timestamp_seconds",
        "gauge",
        "The newest cosignature of a checkpoint that the committee's quorum has cosigned.",
        time(numbers.witnessed.inside),
    );
    metric(
        "ntk_witnessed_outside_timestamp_seconds",
        "gauge",
        "The newest cosignature of a checkpoint that the quorum of witnesses outside has cosigned.",
        time(numbers.witnessed.outside),
    );
    let off_site = &numbers.off_site;
    let is_set_up = off_site.to.is_some();
    metric(
        "ntk_off_site_configured",
        "gauge",
        "1 where the ledger is copied outside this machine.",
        alone(Some(is_set_up.into())),
    );
    metric(
        "ntk_off_site_failing",
        "gauge",
        "1 where the last copy failed.",
        alone(is_set_up.then(|| off_site.failing_since.is_some().into())),
    );
    metric(
        "ntk_off_site_log_size",
        "gauge",
        "Leaves of the log that the copy outside reaches.",
        alone(is_set_up.then(|| off_site.log_size.into())),
    );
    metric(
        "ntk_off_site_success_timestamp_seconds",
        "gauge",
        "When a copy last came to its end.",
        time(off_site.succeeded.as_deref().and_then(Moment::parse)),
    );
    let disk = numbers.disk;
    let per_day = |disk: Forecast| disk.per_day_bytes;
    for (name, help, value) in [
        (
            "ntk_disk_free_bytes",
            "What is free below the collector's folder.",
            disk.map(|disk| disk.free_bytes),
        ),
        (
            "ntk_disk_size_bytes",
            "Size of the file system of the collector's folder.",
            disk.map(|disk| disk.total_bytes),
        ),
        ("ntk_disk_growth_bytes_per_day", "By how much a day it fills.", disk.and_then(per_day)),
        (
            "ntk_disk_lasts_days",
            "Whole days until it is full at that growth.",
            disk.and_then(|disk| disk.days),
        ),
    ] {
        metric(name, "gauge", help, alone(value.map(i128::from)));
    }
    text
}

/// One label; `\`, `"` and line ends escaped as the format asks.
fn labelled(name: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::desk::rig::Rig;

    fn is_name(text: &str) -> bool {
        !text.is_empty() && text.bytes().all(|c| c.is_ascii_lowercase() || c == b'_')
    }

    /// `NAME VALUE` or `NAME{LABEL="...",...} VALUE`, its name announced before.
    fn is_sample(line: &str, announced: &str) -> bool {
        let Some((series, value)) = line.rsplit_once(' ') else { return false };
        let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
        let labels_fit = labels.is_none_or(|labels| {
            let inner = labels.strip_suffix("\"}").unwrap_or_default();
            inner.split("\",").all(|label| label.split_once("=\"").is_some_and(|(label, _)| is_name(label)))
        });
        name == announced && labels_fit && value.parse::<f64>().is_ok()
    }

    fn has_the_form(text: &str) {
        let mut announced = String::new();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if let Some(help) = line.strip_prefix("# HELP ") {
                let (name, words) = help.split_once(' ').unwrap();
                assert!(is_name(name) && name.starts_with("ntk_") && !words.is_empty(), "{line}");
                let kind = lines.next().and_then(|line| line.strip_prefix(&format!("# TYPE {name} ")));
                assert!(matches!(kind, Some("gauge" | "counter")), "{line}");
                announced = name.to_owned();
            } else {
                assert!(is_sample(line, &announced), "`{line}` after `{announced}`");
            }
        }
        assert!(text.ends_with('\n'));
    }

    #[test]
    fn the_text_has_the_form_that_prometheus_reads() {
        let numbers = Numbers {
            practice: None,
            log_size: 42,
            entries: [("agent/ws-01".into(), 40), ("collector".into(), 2)].into(),
            agents: [("agent/ws-01".into(), (true, false)), ("agent/ws-02".into(), (false, true))].into(),
            refusals: [("fork".into(), 3), ("od\"d\\\n".into(), 1)].into(),
            checked: Some(Checked { time: "2026-11-27T19:00:00Z".into(), passed: false }),
            stamped: Moment::from_unix_seconds(1_795_806_060),
            stamps_failed: Some(2),
            witnessed: Until { inside: Moment::from_unix_seconds(1_795_806_000), outside: None },
            off_site: Standing {
                to: Some("s3://vault".into()),
                log_size: 40,
                succeeded: Some("2026-11-27T19:00:00Z".into()),
                failing_since: Some("2026-11-27T20:00:00Z".into()),
                ..Standing::default()
            },
            disk: Some(Forecast { free_bytes: 70, total_bytes: 100, per_day_bytes: Some(10), days: Some(7) }),
        };
        let said = text(&numbers);
        has_the_form(&said);
        let samples: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
        expect![[r#"
            ntk_log_size 42
            ntk_author_entries{author="agent/ws-01"} 40
            ntk_author_entries{author="collector"} 2
            ntk_agent_connected{author="agent/ws-01"} 1
            ntk_agent_connected{author="agent/ws-02"} 0
            ntk_agent_silent{author="agent/ws-01"} 0
            ntk_agent_silent{author="agent/ws-02"} 1
            ntk_refusals_total{code="fork"} 3
            ntk_refusals_total{code="od\"d\\\n"} 1
            ntk_self_check_passed 0
            ntk_self_check_timestamp_seconds 1795806000
            ntk_time_stamp_timestamp_seconds 1795806060
            ntk_time_stamp_failures_total 2
            ntk_witnessed_inside_timestamp_seconds 1795806000
            ntk_off_site_configured 1
            ntk_off_site_failing 1
            ntk_off_site_log_size 40
            ntk_off_site_success_timestamp_seconds 1795806000
            ntk_disk_free_bytes 70
            ntk_disk_size_bytes 100
            ntk_disk_growth_bytes_per_day 10
            ntk_disk_lasts_days 7"#]]
        .assert_eq(&samples.join("\n"));
    }

    #[test]
    fn among_several_practices_each_sample_says_whose_it_is() {
        let numbers = Numbers {
            practice: Some("maple-street.b62e867f".into()),
            log_size: 42,
            entries: [("collector".into(), 2)].into(),
            ..Numbers::default()
        };
        let said = text(&numbers);
        has_the_form(&said);
        let samples: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
        expect![[r#"
            ntk_log_size{practice="maple-street.b62e867f"} 42
            ntk_author_entries{practice="maple-street.b62e867f",author="collector"} 2
            ntk_off_site_configured{practice="maple-street.b62e867f"} 0"#]]
        .assert_eq(&samples.join("\n"));
    }

    #[test]
    fn what_there_is_not_yet_has_no_sample() {
        let said = text(&Numbers::default());
        has_the_form(&said);
        let samples: Vec<&str> = said.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(samples, ["ntk_log_size 0", "ntk_off_site_configured 0"]);
    }

    #[tokio::test]
    async fn a_practice_with_people_and_paths_names_none_of_them() {
        let rig = Rig::start().await;
        let event = r#"{"kind":"file_access","time":"2026-11-27T18:00:00Z","count":1,"outcome":"success","action":"read",
            "actor":{"login_uid":1001,"login_user":"itadmin1","confidence":"kernel"},"process":{"exe":"/usr/bin/cat"},
            "object":{"class":"export","path":"/srv/practice/lopez.csv"},"source":{"sensor":"linux-audit"}}"#;
        rig.entries("ws-01", &[event.to_owned()]).await;
        rig.app().refusals.count("fork");
        let response = metrics(State(rig.app().clone())).await;
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let said = String::from_utf8(bytes.to_vec()).unwrap();
        has_the_form(&said);
        for sample in [
            "ntk_author_entries{author=\"agent/ws-01\"} 1\n",
            "ntk_agent_connected{author=\"agent/ws-01\"} 0\n",
            "ntk_agent_silent{author=\"agent/ws-01\"} 0\n",
            "ntk_refusals_total{code=\"fork\"} 1\n",
        ] {
            assert!(said.contains(sample), "{sample} in:\n{said}");
        }
        for word in ["itadmin1", "northwind", "lopez", "/srv", "Maple"] {
            assert!(!said.contains(word), "`{word}` stands in:\n{said}");
        }
        rig.end().await;
    }
}
