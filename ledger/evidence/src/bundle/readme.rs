//! README-how-to-verify, as plain text and as HTML: one list of paragraphs, two renderings.
//!
//! Commands stand in the page as they are typed, `$ ` before each, and under "Expected:" a part of what they print. A
//! test reads both from the page and does what it says, with nothing but the bundle, the trust file and Debian's
//! packages.

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
    /// Whether it has RFC 3161 time-stamps, and the authority's certificates with them.
    pub time_stamps: ReadmeStamps,
    /// What this bundle does not hold, a sentence each.
    pub not_included: Vec<String>,
}

/// What the README says of time-stamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadmeStamps {
    /// There are none.
    #[default]
    None,
    /// There are some; the certificates have to be got from the authority.
    WithoutChain,
    /// There are some, and `chain.pem` with certificates.
    WithChain,
}

enum Block {
    Title(String),
    Heading(&'static str),
    Text(String),
    Code(String),
    /// What to type, and lines that must stand in what it prints.
    Run(&'static str, &'static [&'static str]),
    Items(Vec<String>),
}

fn blocks(facts: &ReadmeFacts) -> Vec<Block> {
    use Block::{Code, Heading, Items, Run, Text, Title};
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
        Heading("2. Unpack"),
        Text(format!(
            "You need two files in one folder: the bundle, here called {}, and the practice's trust file trust.txt, which must have come to you by another way than the bundle (the printed review says where to get it). The commands are for a Debian or Ubuntu computer; type them one after the other in one terminal. No network is needed.",
            facts.zip_name
        )),
        Code(format!("$ python3 -m zipfile -e {} unpacked", facts.zip_name)),
        Run("cd unpacked/*/ && ls bagit.txt", &["bagit.txt"]),
        text(
            "There are three ways from here. They do not share a line of program: one that says no is enough to ask.",
        ),
        Heading("Way A. Tools of the operating system only"),
        text("sha256sum: every file has the sum that is written for it, and the list of sums its own."),
        Run(
            "sha256sum --quiet --strict -c manifest-sha256.txt && echo \"every file has its sum\"",
            &["every file has its sum"],
        ),
        Run(
            "sha256sum --quiet --strict -c tagmanifest-sha256.txt && echo \"every list has its sum\"",
            &["every list has its sum"],
        ),
        Run(
            "grep -c \"$(sha256sum tagmanifest-sha256.txt | cut -c1-64)\" tagmanifest-sha256.txt.note",
            &["1"],
        ),
        text(
            "openssl: these four lines make a command `signed` that takes the key of a word in the trust file and checks the first signature of a note with it. A note is a text, an empty line, and its signatures.",
        ),
        Run(
            "signed() { n=$(grep -n '^$' \"$2\" | tail -n 1 | cut -d: -f1); head -n $((n - 1)) \"$2\" > ../text",
            &[],
        ),
        Run("sed -n $((n + 1))p \"$2\" | cut -d' ' -f3 | base64 -d | tail -c 64 > ../signature", &[]),
        Run(
            "{ printf '\\060\\052\\060\\005\\006\\003\\053\\145\\160\\003\\041\\000'; grep \"^$1 \" ../../trust.txt | cut -d+ -f3- | base64 -d | tail -c 32; } > ../key",
            &[],
        ),
        Run(
            "openssl pkeyutl -verify -pubin -keyform DER -inkey ../key -rawin -in ../text -sigfile ../signature; }",
            &[],
        ),
        text(
            "The practice key signed the trust file that you brought; its bundle key signed the list of sums; its log key signed the log's last state:",
        ),
        Run("signed practice-key ../../trust.txt", &["Signature Verified Successfully"]),
        Run("signed bundle tagmanifest-sha256.txt.note", &["Signature Verified Successfully"]),
        Run("signed log data/proofs/checkpoint.txt", &["Signature Verified Successfully"]),
        text(
            "Go's packages for transparency logs (Debian: golang-go golang-golang-x-mod-dev): each machine's signed note stands in that log, and the rows lead to the note. The program that calls them is in the bundle and short; read it first.",
        ),
        Run(
            "GO111MODULE=off GOPATH=/usr/share/gocode go run data/verify/check_proofs.go . ../../trust.txt",
            &["checks hold"],
        ),
    ];
    blocks.extend(time_stamps(facts.time_stamps));
    blocks.extend([
        Heading("Way B. A Python script"),
        text(
            "Python's standard library and the package cryptography (Debian: python3-cryptography). The script is in the bundle; read it, or take the same file from the program's public source.",
        ),
        Run(
            "python3 data/verify/verify_bundle.py . --trust ../../trust.txt",
            &["ok   bundle-signature", "ok   author-keys", "ok   inclusion", "ok   entries", "verified"],
        ),
        Heading("Way C. ntk-verify"),
        text(
            "One file without libraries. Take it from the program's public source, or build it from data/verify/ntk-verify-source.tar with `cargo build --release -p ntk-verify`. It checks the most: also the timeline and each rendering, made again and compared.",
        ),
        Run(
            "ntk-verify . --trust ../../trust.txt",
            &[
                "ok   bundle-signature",
                "ok   author-keys",
                "ok   inclusion",
                "ok   entries",
                "ok   timeline",
                "verified: all",
            ],
        ),
        text("Ways B and C name their checks alike and end with the same code, which `echo $?` shows:"),
        Items(vec![
            "exit code 0: verified".to_owned(),
            "exit code 1: altered; the check that failed is named".to_owned(),
            "exit code 2: incomplete; something that belongs here is missing".to_owned(),
            "exit code 3: not verifiable; for example, no trust file was given".to_owned(),
        ]),
        text("To see that a check can fail, change one letter anywhere and ask again:"),
        Run(
            "cp -r . ../changed && sed -i '1s/[0-9]/x/' ../changed/data/timeline.csv ../changed/data/entries/collector.jsonl && python3 ../changed/data/verify/verify_bundle.py ../changed --trust ../../trust.txt; echo \"exit code $?\"",
            &["FAIL bag-manifests", "altered", "exit code 1"],
        ),
        text(
            "The proofs are text files in published formats (C2SP signed-note, tlog-checkpoint, tlog-proof, tlog-cosignature; RFC 6962 hashes; RFC 3161 time-stamps), and the whole is a BagIt 1.0 bag (RFC 8493; PyPI: bagit), so other programs can check them as well.",
        ),
        Heading("What this shows, and what it does not"),
        text(
            "Each row in data/entries/ is one record. A row with parts is shown; a row with only a leaf is withheld, and its hash stands in its place, so that none can be missing unnoticed. A part with only a commitment is blacked out.",
        ),
        text(
            "A record shows what an account on a computer did as far as a sensor saw it. It does not show who sat at the keyboard, and nothing that no sensor saw.",
        ),
    ]);
    if !facts.not_included.is_empty() {
        blocks.push(Heading("Not in this bundle"));
        blocks.push(Items(facts.not_included.clone()));
    }
    blocks
}

/// How the authority's signatures are checked, where there are any.
fn time_stamps(stamps: ReadmeStamps) -> Vec<Block> {
    use Block::{Run, Text};
    let mut blocks = Vec::new();
    if stamps == ReadmeStamps::None {
        return blocks;
    }
    blocks.push(Text(
        "A time-stamping authority outside the practice has signed at its own time that it saw earlier states of the log (RFC 3161). In data/proofs/timestamps, N.txt is the log's state at size N, N.tsq what the authority was asked, N.tsr its answer. This prints when, by the authority's clock:".to_owned(),
    ));
    blocks.push(Run(
        "for t in data/proofs/timestamps/*.tsr; do echo \"$t\"; openssl ts -reply -in \"$t\" -text | grep 'Time stamp:'; done",
        &["Time stamp:"],
    ));
    let verify = "The answers' signatures, with the certificates in chain.pem. Those came with the bundle: get the authority's certificate from itself and compare, or put its file in the place of chain.pem.";
    match stamps {
        ReadmeStamps::WithChain => {
            blocks.push(Text(verify.to_owned()));
            blocks.push(Run("cd data/proofs/timestamps", &[]));
            blocks.push(Run(
                "for t in *.tsr; do openssl ts -verify -in \"$t\" -queryfile \"${t%.tsr}.tsq\" -CAfile chain.pem; done",
                &["Verification: OK"],
            ));
            blocks.push(Run(
                "for t in *.tsr; do openssl ts -verify -in \"$t\" -data \"${t%.tsr}.txt\" -CAfile chain.pem; done 2>&1 | sort | uniq -c",
                &["Verification: OK"],
            ));
            blocks.push(Run("cd ../../..", &[]));
        }
        ReadmeStamps::WithoutChain | ReadmeStamps::None => blocks.push(Text(
            "The answers' signatures: get the authority's certificates from itself as chain.pem, and in that folder, for each N: openssl ts -verify -in N.tsr -queryfile N.tsq -CAfile chain.pem, and the same with -data N.txt. Expected: Verification: OK.".to_owned(),
        )),
    }
    blocks.push(Text(
        "data/proofs/brackets.csv says for each run of rows between which two of these times it came into the log, whatever the collector's own clock said: not before an answer that stands ahead of it in the log, not after an answer over a state that holds it. ntk-verify (way C) makes that file again from the proofs.".to_owned(),
    ));
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
            Block::Run(command, expected) => {
                let mut piece = format!("    $ {command}\n");
                if !expected.is_empty() {
                    piece.push_str("Expected:\n");
                    expected.iter().for_each(|line| piece.push_str(&format!("    {line}\n")));
                }
                piece
            }
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
            Block::Run(command, []) => format!("<pre>$ {}</pre>\n", escaped(command)),
            Block::Run(command, expected) => format!(
                "<pre>$ {}</pre>\n<p>Expected:</p>\n<pre>{}</pre>\n",
                escaped(command),
                escaped(&expected.join("\n"))
            ),
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
            time_stamps: ReadmeStamps::WithChain,
            not_included: vec!["No time-stamps of outside authorities.".into()],
        };
        let (text, html) = (readme_text(&facts), readme_html(&facts));
        for needed in [
            "ribbon absent crawl",
            "visual assist meat",
            "sha256sum --quiet --strict -c manifest",
            "verify_bundle.py",
            "openssl pkeyutl",
            "ntk-verify . --trust",
            "No time-stamps",
            "openssl ts -verify -in",
        ] {
            assert!(text.contains(needed) && html.contains(needed), "{needed}");
        }
        assert!(html.contains("Maple &amp; &lt;b&gt;Oak") && !html.contains("<b>"));
        // A command is one line, however long.
        assert!(text.lines().all(|line| line.chars().count() <= 80 || line.starts_with("    $ ")));
    }
}
