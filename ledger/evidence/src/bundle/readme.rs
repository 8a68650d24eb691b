//! README-how-to-verify, as plain text and as HTML: one list of paragraphs, two renderings.

/// What the README names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadmeFacts {
    /// The practice's name.
    pub practice: String,
    /// The case.
    pub case: String,
    /// Name of the bundle's ZIP file.
    pub zip_name: String,
    /// The twelve words of the practice key.
    pub practice_words: String,
    /// The twelve words of the final checkpoint.
    pub checkpoint_words: String,
    /// Size of the collector log at the final checkpoint.
    pub log_size: u64,
    /// When the bundle was made, RFC 3339.
    pub made: String,
    /// What this bundle does not hold, a sentence each.
    pub not_included: Vec<String>,
}

enum Block {
    Title(String),
    Heading(&'static str),
    Text(String),
    Code(String),
    Items(Vec<String>),
}

fn blocks(facts: &ReadmeFacts) -> Vec<Block> {
    use Block::{Code, Heading, Items, Text, Title};
    let text = |text: &str| Text(text.to_owned());
    let mut blocks = vec![
        Title("How to verify this bundle".to_owned()),
        Text(format!("Practice: {}. Case: {}. Made: {}.", facts.practice, facts.case, facts.made)),
        text(
            "This bundle holds records of access to files and mail, and proofs that nobody changed them since they were recorded. You need nobody's word for that: each step below works with a tool that others wrote, or without the network.",
        ),
        Heading("1. Compare twelve words"),
        text("The records stand under one key of the practice. Its words are:"),
        Code(facts.practice_words.clone()),
        text(
            "Compare them with the words on a report that was printed before the dispute, or with the paper or USB stick that the practice took away when the system was set up. If they differ, stop: these are another system's records. Words that you read only here prove nothing.",
        ),
        Text(format!("The log had {} batches at the final checkpoint. Its words are:", facts.log_size)),
        Code(facts.checkpoint_words.clone()),
        text(
            "Reports sent later carry the words of later checkpoints; ask for one and check that it continues this log.",
        ),
        Heading("2. Check that no file was changed"),
        text("On any Linux or macOS computer, in the folder that holds bagit.txt (macOS: shasum -a 256 -c):"),
        Code("sha256sum -c manifest-sha256.txt".to_owned()),
        text("Expected: one line for every file, each ending in"),
        Code(": OK".to_owned()),
        text("Or with the Library of Congress's tool from PyPI:"),
        Code("pip install bagit\nbagit.py --validate .".to_owned()),
        text("Expected: a last line that ends in"),
        Code("is valid".to_owned()),
        text("These two find damage. They do not find a forger who also wrote new sums: step 3 does."),
        Heading("3. Check signatures and completeness"),
        text("Use ntk-verify with a trust file that came to you by another way than this bundle:"),
        Code(format!("ntk-verify {} --trust trust.txt", facts.zip_name)),
        text("Expected: a mark of success before every check, and at the end"),
        Code("verified: ...".to_owned()),
        Items(vec![
            "exit code 0: verified".to_owned(),
            "exit code 1: altered; the check that failed is named".to_owned(),
            "exit code 2: incomplete; something that belongs here is missing".to_owned(),
            "exit code 3: not verifiable; for example, no trust file was given".to_owned(),
        ]),
        text(
            "The proofs are text files in published formats (C2SP signed-note, tlog-checkpoint, tlog-proof; RFC 6962 hashes), so other programs can check data/proofs/ as well.",
        ),
        Heading("What this shows, and what it does not"),
        text(
            "Each row in data/entries/ is one record. A row with parts is shown; a row with only a leaf is withheld, and its hash stands in its place, so that none can be missing unnoticed. A part with only a commitment is blacked out.",
        ),
        text(
            "A record shows what an account on a computer did as far as a sensor saw it. It does not show who sat at the keyboard, and nothing that no sensor saw.",
        ),
    ];
    if !facts.not_included.is_empty() {
        blocks.push(Heading("Not in this bundle"));
        blocks.push(Items(facts.not_included.clone()));
    }
    blocks
}

/// The README as plain text.
pub fn readme_text(facts: &ReadmeFacts) -> String {
    let mut out = String::new();
    for block in blocks(facts) {
        let piece = match block {
            Block::Title(title) => {
                format!("{}\n{}\n", title.to_uppercase(), "=".repeat(title.chars().count()))
            }
            Block::Heading(heading) => format!("\n{heading}\n{}\n", "-".repeat(heading.chars().count())),
            Block::Text(text) => format!("{}\n", wrapped(&text, "")),
            Block::Code(code) => code.lines().map(|line| format!("    {line}\n")).collect(),
            Block::Items(items) => items.iter().map(|item| format!("{}\n", wrapped(item, "- "))).collect(),
        };
        out.push_str(&piece);
        out.push('\n');
    }
    out
}

/// The README as one HTML page without scripts or outside links.
pub fn readme_html(facts: &ReadmeFacts) -> String {
    let mut body = String::new();
    for block in blocks(facts) {
        let piece = match block {
            Block::Title(title) => format!("<h1>{}</h1>\n", escaped(&title)),
            Block::Heading(heading) => format!("<h2>{}</h2>\n", escaped(heading)),
            Block::Text(text) => format!("<p>{}</p>\n", escaped(&text)),
            Block::Code(code) => format!("<pre>{}</pre>\n", escaped(&code)),
            Block::Items(items) => {
                let items: String =
                    items.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
                format!("<ul>\n{items}</ul>\n")
            }
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
<title>How to verify this bundle</title>
<style>
body { margin: 0; background: #fff; color: #1c2733; font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 42rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; margin: 2.2rem 0 .5rem; padding-top: 1rem; border-top: 1px solid #d5dce3; }
p, ul { margin: .6rem 0; }
pre { margin: .6rem 0; padding: .7rem .9rem; background: #f3f6f8; border: 1px solid #d5dce3; border-radius: 6px;
  font: 15px/1.5 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
@media print { main { max-width: none; padding: 0; } h2 { break-after: avoid; } pre { break-inside: avoid; } }
</style>
</head>
<body>
<main>
"#;

/// Text made safe for HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn wrapped(text: &str, bullet: &str) -> String {
    let (mut out, mut column) = (bullet.to_owned(), bullet.len());
    for (number, word) in text.split_whitespace().enumerate() {
        let width = word.chars().count();
        if number > 0 && column.saturating_add(width).saturating_add(1) > 78 {
            out.push('\n');
            out.push_str(&" ".repeat(bullet.len()));
            column = bullet.len();
        } else if number > 0 {
            out.push(' ');
            column = column.saturating_add(1);
        }
        out.push_str(word);
        column = column.saturating_add(width);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_renderings_name_the_words_and_escape_a_strangers_text() {
        let facts = ReadmeFacts {
            practice: "Maple & <b>Oak</b>".into(),
            case: "C-1".into(),
            zip_name: "bundle.zip".into(),
            practice_words: "ribbon absent crawl".into(),
            checkpoint_words: "visual assist meat".into(),
            log_size: 3,
            made: "2026-11-22T15:00:00Z".into(),
            not_included: vec!["No time-stamps of outside authorities.".into()],
        };
        let (text, html) = (readme_text(&facts), readme_html(&facts));
        for needed in [
            "ribbon absent crawl",
            "visual assist meat",
            "sha256sum -c",
            "bagit.py",
            "ntk-verify bundle.zip",
            "No time-stamps",
        ] {
            assert!(text.contains(needed) && html.contains(needed), "{needed}");
        }
        assert!(html.contains("Maple &amp; &lt;b&gt;Oak") && !html.contains("<b>"));
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }
}
