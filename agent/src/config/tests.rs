//! Every fault is named by its key, all of them at once, and a good file reads as it should.

use super::*;
use expect_test::{Expect, expect};

#[track_caller]
fn check(text: &str, expected: Expect) {
    match parse(text, Path::new("agent.toml")) {
        Ok(config) => expected.assert_debug_eq(&config),
        Err(error) => expected.assert_eq(&error.to_string()),
    }
}

#[test]
fn all_faults_are_named_at_once() {
    check(
        r#"
            collector = "nowhere"
            keepalive_s = 0
            health_every = 5
            log_format = "xml"
            [sensor]
            audit = "yes"
            recorded = "one"
            [spool]
            bytes_max = 17
            [[watch]]
            path = "srv/mail"
            class = "mailbox"
            [[watch]]
            class = "mail"
            [[watch]]
            path = "/srv/a"
            colour = 3
        "#,
        expect![[r#"
            `agent.toml` has 12 faults:
              `collector`: must be host:port, such as "collector.example:7443", or a list of such
              `keepalive_s`: must be a whole number from 1 to 3600
              `log_format`: must be one of human, json, journald
              `watch[1].path`: `srv/mail` is not an absolute path; write it from the root, for example /srv/practice/exports or D:\Exports
              `watch[2].path`: is needed: the folder or file to watch, from the root
              `watch[2].class`: must be one of mailbox, voicemail, ehr, export, hr, backup, system, self
              `watch[3].class`: is needed: one of mailbox, voicemail, ehr, export, hr, backup, system, self
              `watch[3].colour`: there is no such key; remove it, or check its spelling
              `sensor.audit`: must be true or false
              `sensor.recorded`: must be a list of texts, such as ["a", "b"]
              `spool.bytes_max`: must be a whole number from 4194304 to 17592186044416
              `health_every`: there is no such key; remove it, or check its spelling"#]],
    );
}

#[test]
fn one_fault_and_no_toml_get_their_own_words() {
    check(
        "[[watch]]\npath = \"/a\"\nclass = \"hr\"\n[[watch]]\npath = \"/a/\"\nclass = \"hr\"",
        expect![[r#"
        `agent.toml` has a fault:
          `watch`: `/a` is watched twice; keep one of the two entries"#]],
    );
    check("collector = ", expect!["`agent.toml` is not TOML; mend the place that is named"]);
}

#[test]
fn the_template_is_a_configuration_and_equals_the_defaults() {
    let template = parse(TEMPLATE, Path::new("t")).unwrap();
    assert_eq!(template, parse("", Path::new("t")).unwrap());
    // And with every commented key switched on, too.
    let all: String = TEMPLATE
        .lines()
        .map(|line| {
            let key = line.strip_prefix("# ").filter(|rest| rest.contains(" = ") || rest.starts_with("[["));
            format!("{}\n", key.unwrap_or(line))
        })
        .collect();
    let all = parse(&all, Path::new("t")).unwrap();
    assert_eq!((all.watches.len(), all.sensor.recorded.len()), (2, 1));
    assert_eq!(all.watches.iter().filter(|watch| watch.is_decoy).count(), 1);
    assert_eq!(
        Config {
            collector: Vec::new(),
            watches: WatchList::default(),
            sensor: template.sensor.clone(),
            ..all
        },
        template
    );
}

#[test]
fn a_decoy_is_a_watch_of_its_own_and_its_faults_are_named() {
    check(
        "[[decoy]]\nclass = \"hr\"\n[[decoy]]\npath = \"/a\"\nowner = \"x\"\n[[watch]]\npath = \"/a\"\nclass = \"hr\"",
        expect![[r#"
            `agent.toml` has 4 faults:
              `decoy[1].path`: is needed: a folder that is not there yet, from the root
              `decoy[1].class`: must be mailbox or export
              `decoy[2].owner`: there is no such key; remove it, or check its spelling
              `watch`: `/a` is watched twice; keep one of the two entries"#]],
    );
}

#[test]
fn the_log_gets_keys_and_no_values() {
    let error = parse("[[watch]]\npath = \"secret\"\nclass = \"hr\"", Path::new("t")).unwrap_err();
    assert_eq!(error.keys(), "watch[1].path");
    assert!(error.to_string().contains("secret"), "the terminal may show it");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text in ".{0,300}") {
        let _ = parse(&text, Path::new("t"));
        let _ = parse(&format!("[[watch]]\n{text}"), Path::new("t"));
    }
}

#[test]
fn the_collector_is_one_address_or_a_list_in_its_order() {
    let read = |text: &str| parse(text, Path::new("t")).map(|config| config.collector);
    assert_eq!(read("").unwrap(), Vec::<String>::new());
    assert_eq!(read("collector = \"a:1\"").unwrap(), ["a:1"]);
    assert_eq!(read("collector = [\"a:1\", \"b:2\"]").unwrap(), ["a:1", "b:2"]);
    let sentence = |text: &str| read(text).unwrap_err().to_string();
    assert!(sentence("collector = [\"a:1\", \"b\"]").contains("`collector`: must be host:port"));
    assert!(sentence("collector = [1]").contains("`collector`: must be a list of texts"));
    let nine = format!("collector = [{}]", "\"a:1\",".repeat(9));
    assert!(sentence(&nine).contains("`collector`: must be at most 8 addresses"));
}
