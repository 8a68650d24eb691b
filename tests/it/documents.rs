//! The documents for people outside: each command in them is one that the programs take, each link leads to a file.
//!
//! A command is asked of its program with `--help` behind it: words and flags are read before help is given, so an
//! invented one ends with 64, and nothing is done. [`crate::walk`] runs them for real.

use std::path::Path;

use anyhow::{Context as _, Result};
use ntk_tests::program;

use crate::tidy::{Source, none, some, sources, top};

const PROGRAMS: [&str; 3] = ["ntk-agent", "ntk-collector", "ntk-verify"];
/// What ends a command for the shell.
const ENDS: [&str; 5] = [">", "|", "&&", ";", "#"];

/// The pages: those of `docs/`, and the two at the top that lead there and from there.
fn pages() -> Vec<Source> {
    let is_page = |source: &Source| {
        let path = source.path.as_str();
        path.ends_with(".md")
            && (path.starts_with("docs/") || ["README.md", "CONTRIBUTING.md"].contains(&path))
    };
    sources().into_iter().filter(is_page).collect()
}

/// Lines of a page with the word behind the fence of their block; none for lines outside of all blocks.
pub(crate) fn lines(text: &str) -> Vec<(Option<&str>, &str)> {
    let mut block = None;
    let mut found = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(language), None) => block = Some(language),
            (None, _) => found.push((block, line)),
        }
    }
    found
}

/// A line as a shell splits it: quotes hold a word together.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        let ends_word = quote.is_none() && letter.is_whitespace();
        if ends_word {
            words.push(String::new());
        } else if quote == Some(letter) {
            quote = None;
        } else if quote.is_none() && (letter == '"' || letter == '\'') {
            quote = Some(letter);
        } else if let Some(word) = words.last_mut() {
            word.push(letter);
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The program and words of a line that calls one of ours, perhaps by sudo.
fn command(line: &str) -> Option<Vec<String>> {
    let mut words = words(line);
    if words.first().is_some_and(|word| word == "sudo") {
        words.remove(0);
    }
    let is_ours = words.first().is_some_and(|word| PROGRAMS.contains(&word.as_str()));
    let words = words.into_iter().take_while(|word| !ENDS.contains(&word.as_str()));
    is_ours.then(|| words.collect())
}

/// Every command of our programs in the blocks marked `sh`.
fn commands(text: &str) -> Vec<Vec<String>> {
    let lines = lines(text).into_iter().filter(|(block, _)| *block == Some("sh"));
    lines.filter_map(|(_, line)| command(line)).collect()
}

/// What the programs say against the commands of a page.
fn refused(page: &Source) -> Result<Vec<String>> {
    let mut complaints = Vec::new();
    for words in commands(&page.text) {
        let (name, rest) = words.split_first().context("a command begins with its program")?;
        let mut arguments: Vec<&str> = rest.iter().map(String::as_str).collect();
        arguments.push("--help");
        let output = program::run(name, &arguments)?;
        if !output.status.success() {
            let said = program::text(&output.stderr);
            let first = said.lines().next().unwrap_or_default();
            complaints.push(format!("{}: `{}`: {first}", page.path, words.join(" ")));
        }
    }
    Ok(complaints)
}

/// Targets of links and pictures, outside of blocks.
fn links(text: &str) -> Vec<&str> {
    let prose = lines(text).into_iter().filter(|(block, _)| block.is_none());
    let parts = prose.flat_map(|(_, line)| line.split("](").skip(1));
    parts.filter_map(|part| part.split_once(')')).map(|(target, _)| target).collect()
}

/// Names of a page's headings in links to them, as the usual renderers make them.
fn anchors(text: &str) -> Vec<String> {
    let headings = lines(text).into_iter().filter(|(block, line)| block.is_none() && line.starts_with('#'));
    let name = |(_, line): (Option<&str>, &str)| -> String {
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.map(name).collect()
}

/// Links of a page that lead nowhere, and pictures that say nothing to whoever does not see them.
fn broken(page: &Source) -> Vec<String> {
    let path = top().join(&page.path);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut complaints = Vec::new();
    if page.text.contains("![](") {
        complaints.push(format!("{}: a picture has no text in its place", page.path));
    }
    for target in links(&page.text).into_iter().filter(|target| !target.contains("://")) {
        let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
        let text = if file.is_empty() {
            Some(page.text.clone())
        } else {
            std::fs::read(folder.join(file)).ok().map(|bytes| program::text(&bytes))
        };
        match text {
            None => complaints.push(format!("{}: `{target}` is not there", page.path)),
            Some(text) if !anchor.is_empty() && !anchors(&text).iter().any(|known| known == anchor) => {
                complaints.push(format!("{}: `{target}` names no heading", page.path));
            }
            Some(_) => {}
        }
    }
    complaints
}

#[test]
fn every_command_in_the_documents_is_one_that_the_programs_take() -> Result<()> {
    let mut complaints = Vec::new();
    let mut n_commands = 0;
    for page in pages() {
        n_commands += commands(&page.text).len();
        complaints.extend(refused(&page)?);
    }
    none(&complaints);
    assert!(n_commands > 100, "{n_commands} commands were found in the documents");
    Ok(())
}

#[test]
fn a_command_that_does_not_exist_is_seen() -> Result<()> {
    let check = |line: &str, says: &str| -> Result<()> {
        some(&refused(&Source::new("docs/a.md", &format!("Type:\n\n```sh\n{line}\n```\n")))?, says);
        Ok(())
    };
    check("sudo ntk-agent check --thoroughly", "--thoroughly")?;
    check("ntk-collector tidy-up", "tidy-up")?;
    check("ntk-collector enroll new --machine \"ws 01\" --nicely | tee token.txt", "--nicely")?;
    check("ntk-verify bundle.zip --trust-me > said.txt", "--trust-me")?;
    let page = Source::new(
        "docs/a.md",
        "```bat\nntk-agent no-such-word\n```\n```sh\ncargo build -p ntk-agent\n```\n",
    );
    none(&refused(&page)?);
    Ok(())
}

#[test]
fn every_link_and_picture_of_the_documents_leads_somewhere() {
    let pages = pages();
    assert!(pages.len() > 10, "{} pages were found", pages.len());
    none(&pages.iter().flat_map(broken).collect::<Vec<_>>());
}

#[test]
fn a_link_that_leads_nowhere_is_seen() {
    let check = |text: &str, says: &str| some(&broken(&Source::new("docs/a.md", text)), says);
    check("See [this](no-such-page.md).\n", "is not there");
    check("# A\n\n[below](#no-such-heading)\n", "names no heading");
    check("[there](README.md#no-such-heading)\n", "names no heading");
    check("![](pictures/week.svg)\n", "no text in its place");
    none(&broken(&Source::new(
        "docs/a.md",
        "# One, (two)\n\n[above](#one-two), [out](https://example.com/)\n",
    )));
}
