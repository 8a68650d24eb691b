//! A declaration to be filled in by a qualified person: Federal Rules of Evidence 902(13) and (14), 28 U.S.C. 1746.
//!
//! Values that the system knows are filled in; what only a human can say is a blank. Nothing here is legal advice, and
//! the declaration is the human's: unsigned it is a form. Pure: facts in, one list of blocks, two renderings.

use crate::bundle::wording::table::TABLE;

/// What the declaration names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificationFacts {
    /// The practice's name.
    pub practice: String,
    /// The case.
    pub case: String,
    /// When the bundle was made, RFC 3339.
    pub made: String,
    /// Range of the question, RFC 3339.
    pub from: String,
    /// Its end.
    pub to: String,
    /// Version of the programs.
    pub version: String,
    /// SHA-256 of the collector's program, hex.
    pub collector_sha256: Option<String>,
    /// Size of the log at the final checkpoint.
    pub log_size: u64,
    /// Root of the log at the final checkpoint, base64.
    pub log_root: String,
    /// Twelve words of the final checkpoint.
    pub checkpoint_words: String,
    /// Twelve words of the practice key.
    pub practice_words: String,
    /// Machines that recorded, each with its sensors, a line each.
    pub machines: Vec<String>,
    /// Who administers what, a line each.
    pub administrators: Vec<String>,
    /// The account in question and who holds it, and whether its holder administers anything; absent: everybody's.
    pub account_in_question: Option<String>,
    /// What is not in the bundle, a sentence each.
    pub not_included: Vec<String>,
    /// The collector's last check of its whole ledger, in its own words.
    pub self_check: Option<String>,
}

enum Block {
    Title(&'static str),
    Heading(&'static str),
    Text(String),
    Items(Vec<String>),
    Blank(&'static str),
}

fn blocks(facts: &CertificationFacts) -> Vec<Block> {
    use Block::{Blank, Heading, Items, Text, Title};
    let text = |text: &str| Text(text.to_owned());
    let or_none =
        |items: &[String]| if items.is_empty() { vec!["none known".to_owned()] } else { items.to_vec() };
    vec![
        Title("Certification of records of an electronic process"),
        text(
            "A form under Federal Rules of Evidence 902(13) and 902(14) and 28 U.S.C. 1746. Lines in brackets are for a qualified person to fill in. Strike what you cannot say of your own knowledge. It is no legal advice.",
        ),
        Blank("Name of the declarant"),
        Blank("Position, employer, and how the declarant came to know the system"),
        Heading("1. What the system is"),
        Text(format!(
            "{} runs Need-to-Know {}. Programs on its computers record who opened a session and who touched watched files, sign what they recorded in numbered batches, and send them to a collector, which keeps every batch in one append-only log under signed checkpoints. Nothing is decided before it is recorded.",
            facts.practice, facts.version
        )),
        Heading("2. What each sensor records, and what it does not show"),
        Items(TABLE.iter().map(|line| {
            format!("{}, {}: {}. Does not show {}.", line.sensor, line.record, line.verb, line.does_not_show)
        }).collect()),
        text("Machines that recorded in this range:"),
        Items(or_none(&facts.machines)),
        Heading("3. Clocks"),
        text(
            "Each record bears the time of its own computer's clock, and the collector notes by its clock when it received each batch. Neither clock is vouched for; the order of records is by number, not by time. A clock that was moved is a record of its own.",
        ),
        Blank("How the computers' clocks are set, and from where"),
        Heading("4. Regular course"),
        text(
            "The records are made automatically at the time of the act they record, by a process that runs at all times and not for this matter.",
        ),
        Blank("Since when the system has run at this practice, and whether it is regularly relied on"),
        Heading("5. Who could administer what"),
        Items(or_none(&facts.administrators)),
        Text(facts.account_in_question.clone().map_or_else(
            || "The question names no person.".to_owned(),
            |account| format!("The account in question: {account}"),
        )),
        Blank("Whether the person in question had administrator rights on the computers that recorded, and on which"),
        Heading("6. Hash values"),
        Text(format!("Case {}, made {}, range {} to {}.", facts.case, facts.made, facts.from, facts.to)),
        Items(vec![
            format!("log of {} batches, root {}", facts.log_size, facts.log_root),
            format!("final checkpoint in words: {}", facts.checkpoint_words),
            format!("practice key in words: {}", facts.practice_words),
            format!(
                "program of the collector, SHA-256: {}",
                facts.collector_sha256.as_deref().unwrap_or("not known")
            ),
            "each file: manifest-sha256.txt and manifest-sha512.txt of this bundle".to_owned(),
        ]),
        Blank("SHA-256 of the ZIP file as it was handed over"),
        Heading("7. Verification"),
        text("Run these on a computer of your own, and attach what they print:"),
        Items(vec![
            "sha256sum -c manifest-sha256.txt. Expected: one line a file, each ending in OK".to_owned(),
            "ntk-verify BUNDLE.zip --trust trust.txt, with a trust file from another source. Expected: exit code 0 and a last line that begins with `verified:`".to_owned(),
        ]),
        Text(facts.self_check.clone().map_or_else(
            || "The collector has not checked its whole ledger in the acts shown here.".to_owned(),
            |said| format!("The collector's own last check: {said}"),
        )),
        Blank("Date of the verification, versions used, and what it printed"),
        Heading("8. Known limits"),
        text(
            "A record shows an account, a computer and a verb. It does not show who sat at the keyboard. What no sensor saw is not here. Whoever administers a computer can keep its sensors from recording from then on; that leaves a gap, a silence or a record of tampering, and a record made falsely with a live key is seen only where another source contradicts it.",
        ),
        text("Not in this bundle:"),
        Items(or_none(&facts.not_included)),
        Heading("Declaration"),
        text(
            "I declare under penalty of perjury under the laws of the United States of America that the foregoing, as filled in by me, is true and correct.",
        ),
        Blank("Executed on (date)"),
        Blank("Signature"),
    ]
}

/// The form as plain text.
pub fn certification_text(facts: &CertificationFacts) -> String {
    let mut out = String::new();
    for block in blocks(facts) {
        match block {
            Block::Title(title) => out.push_str(&format!("{}\n\n", title.to_uppercase())),
            Block::Heading(heading) => out.push_str(&format!("{heading}\n{}\n\n", "-".repeat(heading.len()))),
            Block::Text(text) => out.push_str(&format!("{text}\n\n")),
            Block::Items(items) => {
                items.iter().for_each(|item| out.push_str(&format!("- {item}\n")));
                out.push('\n');
            }
            Block::Blank(what) => {
                out.push_str(&format!("[ {what}: ____________________________________ ]\n\n"))
            }
        }
    }
    out
}

/// The form as one HTML page that prints, without scripts or outside links.
pub fn certification_html(facts: &CertificationFacts) -> String {
    let mut body = String::new();
    for block in blocks(facts) {
        let piece = match block {
            Block::Title(title) => format!("<h1>{}</h1>\n", escaped(title)),
            Block::Heading(heading) => format!("<h2>{}</h2>\n", escaped(heading)),
            Block::Text(text) => format!("<p>{}</p>\n", escaped(&text)),
            Block::Items(items) => {
                let items: String =
                    items.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
                format!("<ul>\n{items}</ul>\n")
            }
            Block::Blank(what) => format!("<p class=\"blank\"><span>{}</span></p>\n", escaped(what)),
        };
        body.push_str(&piece);
    }
    format!("{HEAD}{body}</main>\n</body>\n</html>\n")
}

const HEAD: &str = r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Certification</title>
<style>
body { margin: 0; background: #fff; color: #1c2733; font: 16px/1.5 Georgia, serif; }
main { max-width: 44rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 1.8rem; }
li { margin: .2rem 0; overflow-wrap: anywhere; }
.blank { border-bottom: 1px solid #1c2733; padding-top: 2.2rem; }
.blank span { font: 13px system-ui, sans-serif; color: #51606e; }
@media print { main { max-width: none; padding: 0; } .blank { break-inside: avoid; } }
</style>
</head>
<body>
<main>
"#;

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::wording::table::ACCUSING_WORDS;

    #[test]
    fn what_is_known_is_filled_in_what_is_not_is_blank_and_nobody_is_accused() {
        let facts = CertificationFacts {
            practice: "Maple & <b>Oak</b>".into(),
            case: "C-1".into(),
            log_root: "cm9vdA==".into(),
            checkpoint_words: "visual assist meat".into(),
            account_in_question: Some("itadmin1, held by Northwind IT, who administers the host".into()),
            ..CertificationFacts::default()
        };
        let (text, html) = (certification_text(&facts), certification_html(&facts));
        for needed in [
            "902(13)",
            "902(14)",
            "1746",
            "C-1",
            "cm9vdA==",
            "visual assist meat",
            "who administers the host",
            "who sat at the keyboard",
            "penalty of perjury",
            "Signature",
            "opened for reading",
            "not known",
        ] {
            assert!(text.contains(needed) && html.contains(needed), "{needed}");
        }
        assert!(html.contains("Maple &amp; &lt;b&gt;Oak") && !html.contains("<b>"));
        let lower = text.to_lowercase();
        assert!(ACCUSING_WORDS.iter().all(|word| !lower.contains(word)), "{text}");
    }
}
