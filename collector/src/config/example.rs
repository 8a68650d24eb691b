//! `templates/collector-example.toml`: every setting, its default and its sentence, made of the types that read the file.
//!
//! A setting without a sentence, or without a default and without a value here, fails the test, and so does a file that was
//! not made anew (`UPDATE_EXPECT=1`).

use std::fmt::Write as _;

use expect_test::expect_file;
use serde_json::{Map, Value};

use super::{Config, RawConfig};

/// Values of settings that have no default: `section.key`, as TOML.
const EXAMPLES: &[(&str, &str)] = &[
    ("practice", "\"Maple Street Family Practice\""),
    ("timezone", "\"America/New_York\""),
    ("place", "\"box\""),
    ("more_addresses_for_agents", "[\"collector-2.example:7443\"]"),
    ("address_for_agents", "\"collector.example:7443\""),
    ("tickets_listen", "\"127.0.0.1:7445\""),
    ("administers.host", "\"Northwind IT\""),
    ("console.address", "\"collector.example:7444\""),
    ("console.certificate", "\"/etc/ssl/certs/console.pem\""),
    ("console.key", "\"/etc/ssl/private/console.key\""),
    ("mail.server", "\"smtp.example.com\""),
    ("mail.port", "587"),
    ("mail.user", "\"reviews@example.com\""),
    ("mail.from", "\"reviews@example.com\""),
    ("mail.to", "[\"manager@example.net\"]"),
    ("mail.encrypt_to", "[]"),
    ("mail.details", "false"),
    ("mail.link", "\"https://collector.example:7444\""),
    ("notices.mail", "[\"manager@example.net\"]"),
    ("notices.webhook", "\"https://gateway.example.com/sms\""),
    ("notices.ntfy", "\"https://ntfy.example/a-name-that-nobody-guesses\""),
    ("notices.heartbeat_url", "\"https://hc.example.com/ping/1234\""),
    ("notices.quiet", "\"22:00-06:30\""),
    ("m365.tenant", "\"maplestreet.example\""),
    ("m365.client_id", "\"8c0d1111-2222-3333-4444-555566667777\""),
    ("off_site.to", "\"sftp://copy@vault.example/ntk\""),
    ("off_site.identity_file", "\"/var/lib/ntk-collector/private/off-site.key\""),
    ("off_site.known_hosts", "\"/var/lib/ntk-collector/private/known_hosts\""),
    ("off_site.endpoint", "\"https://s3.example:9000\""),
    ("off_site.region", "\"us-east-1\""),
    ("off_site.credentials", "\"/var/lib/ntk-collector/private/s3\""),
    ("monitoring.listen", "\"127.0.0.1:9464\""),
    ("report.day", "\"monday\""),
    ("report.time", "\"07:00\""),
    ("report.folder", "\"/media/usb/reviews\""),
    ("store.postgres", "\"host=db-1,db-2 user=ntk dbname=ntk\""),
    ("store.authority", "\"database-authority.pem\""),
    ("store.password_file", "\"private/database-password\""),
    ("time_stamps.url", "\"http://tsa.example.com/tsr\""),
    ("time_stamps.certificates", "\"tsa.pem\""),
];

/// Settings that exclude what stands beside them; they are left out where everything is switched on at once.
const ALONE: &[&str] =
    &["off_site.endpoint", "off_site.region", "off_site.credentials", "mail.link", "mail.encrypt_to"];

const HEAD: &str = "\
# Every setting of the collector, with its default or an invented value. Made of the code; `ntk-collector init` writes the
# file that counts. A change takes effect when the file is saved, and `ntk-collector check` says what is wrong with it.
";

/// The schema behind a property: itself, what it refers to, or the one of two that is not `null`.
fn resolved<'a>(schema: &'a Value, definitions: &'a Map<String, Value>) -> &'a Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.strip_prefix("#/$defs/")) {
        return &definitions[name];
    }
    let of_two = ["anyOf", "allOf"].iter().find_map(|key| schema[key].as_array());
    let other = of_two.and_then(|all| all.iter().find(|one| one["type"] != "null"));
    other.map_or(schema, |one| resolved(one, definitions))
}

fn sentence(text: &mut String, name: &str, schema: &Value) {
    let said = schema["description"].as_str().unwrap_or_else(|| panic!("`{name}` has no sentence"));
    for line in said.lines() {
        let _ = writeln!(text, "# {line}");
    }
}

fn setting(text: &mut String, section: &str, key: &str, schema: &Value, needed: bool) {
    let name = if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") };
    sentence(text, &name, schema);
    let example = EXAMPLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let default = schema.get("default").filter(|value| !value.is_null());
    let value = example.or_else(|| default.map(ToString::to_string));
    let value = value.unwrap_or_else(|| panic!("`{name}` has no default: give it a value in EXAMPLES"));
    let _ = writeln!(text, "{}{key} = {value}\n", if needed { "" } else { "# " });
}

/// The text of the file.
fn example() -> String {
    let schema = schemars::schema_for!(RawConfig).to_value();
    let none = Map::new();
    let definitions = schema["$defs"].as_object().unwrap_or(&none);
    let needed = |schema: &Value, key: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == key))
    };
    let (mut text, mut sections) = (format!("{HEAD}\n"), String::new());
    for (key, property) in schema["properties"].as_object().unwrap() {
        let inner = resolved(property, definitions);
        if let Some(properties) = inner["properties"].as_object() {
            sentence(&mut sections, key, property);
            let _ = writeln!(sections, "# [{key}]\n");
            for (name, property) in properties {
                setting(&mut sections, key, name, property, false);
            }
        } else if inner["type"] == "object" {
            sentence(&mut sections, key, property);
            let _ = writeln!(sections, "# [{key}]");
            for (name, value) in EXAMPLES.iter().filter(|(name, _)| name.split('.').next() == Some(key)) {
                let _ = writeln!(sections, "# {} = {value}\n", name.rsplit('.').next().unwrap_or_default());
            }
        } else {
            setting(&mut text, "", key, property, needed(&schema, key));
        }
    }
    (text + &sections).trim_end().to_owned() + "\n"
}

/// The file with everything in it switched on but what excludes something else.
fn switched_on(text: &str) -> String {
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        let line = line.strip_prefix("# ").unwrap_or(line);
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            lines.push(line);
        } else if let Some((key, _)) = line.split_once(" = ")
            && key.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
            && !ALONE.contains(&format!("{section}.{key}").as_str())
        {
            lines.push(line);
        }
    }
    lines.join("\n")
}

#[test]
fn the_example_names_every_setting_with_its_sentence_and_its_default() {
    expect_file!["../../templates/collector-example.toml"].assert_eq(&example());
}

#[test]
fn the_example_is_a_configuration_as_it_stands_and_with_everything_switched_on() {
    let text = example();
    let plain = Config::parse(&text, "example").unwrap();
    let least =
        Config::parse("practice = 'Maple Street Family Practice'\ntimezone = 'America/New_York'", "least")
            .unwrap();
    assert_eq!(plain, least, "what is written is the default");
    let all = switched_on(&text);
    let parsed = Config::parse(&all, "all").unwrap_or_else(|error| panic!("{error}\n{all}"));
    assert!(parsed.store.is_some() && parsed.m365.is_some() && parsed.delivery.mail.is_some());
}
