//! What every file owes its reader: a first sentence, a size, an end to unfinished work, no place of its own.

use super::{Source, none, some, sources, top};

const LINES_MAX: usize = 600;
const ARCHITECTURE_LINES_MAX: usize = 200;

/// Words of unfinished work, in two halves so that this file does not hold them.
const UNFINISHED: &[&str] =
    &[concat!("to", "do!("), concat!("unimpl", "emented!("), concat!("FIX", "ME"), concat!("#[ig", "nore")];

/// Folders of the machines on which this project is written.
const PLACES: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/.cargo")];

fn untidy(source: &Source) -> Vec<String> {
    let path = &source.path;
    let mut complaints = Vec::new();
    if source.is_rust() && !source.is_generated() {
        if !source.text.starts_with("//!") {
            complaints.push(format!("{path}: does not open with `//!` and a sentence that says what it is"));
        }
        let lines = source.text.lines().count();
        if lines > LINES_MAX {
            complaints.push(format!("{path}: {lines} lines; look for the seam (at most {LINES_MAX})"));
        }
        if path.ends_with("/mod.rs") {
            complaints.push(format!("{path}: name it after its folder, one level up"));
        }
        for word in UNFINISHED.iter().filter(|word| source.text.contains(**word)) {
            complaints.push(format!("{path}: `{word}` is unfinished work"));
        }
    }
    for place in PLACES.iter().filter(|place| source.text.contains(**place)) {
        complaints.push(format!("{path}: `{place}` is a place on one machine only"));
    }
    complaints
}

/// Each dependency of the workspace needs a sentence behind it.
fn dependencies_without_a_sentence(manifest: &str) -> Vec<String> {
    let lines = manifest.lines().skip_while(|line| line.trim() != "[workspace.dependencies]").skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let entries =
        lines.filter(|line| !line.trim().is_empty() && !line.starts_with('#') && line.contains('='));
    let outside = entries.filter(|line| !line.contains("path ="));
    let silent = outside.filter(|line| {
        let sentence = line.rsplit_once(" # ").map_or("", |(_, sentence)| sentence);
        sentence.split_whitespace().count() < 2
    });
    silent.map(|line| format!("Cargo.toml: no sentence that says what it saves us: {line}")).collect()
}

fn too_long_a_map(text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let complaint =
        format!("ARCHITECTURE.md: {lines} lines; at most {ARCHITECTURE_LINES_MAX}, or nobody reads it");
    if lines > ARCHITECTURE_LINES_MAX { vec![complaint] } else { Vec::new() }
}

#[test]
fn every_file_owes_its_reader_a_little() {
    none(&sources().iter().flat_map(untidy).collect::<Vec<_>>());
}

#[test]
fn an_untidy_file_is_seen() {
    let check = |path: &str, text: &str, says: &str| some(&untidy(&Source::new(path, text)), says);
    check("agent/src/a.rs", "use std::fs;\n", "does not open with");
    check("agent/src/a.rs", &format!("//! A.\n{}", "\n".repeat(LINES_MAX)), "601 lines");
    check("agent/src/a/mod.rs", "//! A.\n", "name it after its folder");
    for word in UNFINISHED {
        check("agent/src/a.rs", &format!("//! A.\n{word}"), "unfinished");
    }
    check("README.md", &format!("see {}main", PLACES[0]), "one machine only");
    none(&untidy(&Source::new("proto/src/gen/ntk.v1.rs", &"x\n".repeat(LINES_MAX * 2))));
}

#[test]
fn each_dependency_says_what_it_saves_us() {
    let manifest = std::fs::read_to_string(top().join("Cargo.toml")).unwrap();
    none(&dependencies_without_a_sentence(&manifest));
}

#[test]
fn a_dependency_without_a_sentence_is_seen() {
    let manifest =
        "[workspace.dependencies]\nntk-a = { path = \"a\" }\nsled = \"0.34\"\n\n[profile.dev]\nx = 1\n";
    some(&dependencies_without_a_sentence(manifest), "sled");
    let manifest = "[workspace.dependencies]\nsled = \"0.34\" # the query store\n[profile.dev]\nx = 1\n";
    none(&dependencies_without_a_sentence(manifest));
}

#[test]
fn the_map_fits_in_a_reading() {
    none(&too_long_a_map(&std::fs::read_to_string(top().join("ARCHITECTURE.md")).unwrap()));
    some(&too_long_a_map(&"line\n".repeat(201)), "201 lines");
}
