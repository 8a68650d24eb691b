//! The PDF: what programs that nobody here wrote read in it, how long it is, and that strangers' texts do no harm.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::report::text::number;

/// Jars of Debian's libpdfbox2-java and of what it needs where Java no longer has it.
const JARS: [&str; 7] =
    ["preflight", "pdfbox2", "xmpbox", "fontbox2", "commons-logging", "commons-io", "javax.activation"];

fn many() -> WeekInput {
    let mut input = busy();
    let mut records = records_of(&input);
    let first = records[0].finding.clone();
    for n in 0..60 {
        let mut finding = first.clone();
        finding.id = format!("{n:016x}");
        finding.person = Some(format!("person-{n}"));
        records.push(record(finding, Vec::new()));
    }
    input.incidents = weighed(&records).0;
    for n in 0..200 {
        let sentence = format!(
            "Change {n}: Mary Lopez wrote something that takes more than a line to tell, as people do."
        );
        input.changes.push(Note::new(Some(at("2026-11-17T14:00:00Z")), sentence));
        input.machines.push(MachineInput {
            name: format!("station-{n}"),
            enrolled_at: None,
            on_site: on_site(false),
            silences: Vec::new(),
        });
    }
    input
}

fn hostile_text() -> String {
    let long = "W".repeat(10_000);
    format!(
        "=cmd|'<script>alert(1)</script>\u{202e}gpj\u{0}\u{7}\u{1b}[31m\u{200b}\u{feff}\u{fffe}\u{e000}👩‍💻李é ` {long}"
    )
}

/// A report in which every text of strangers is `text`.
fn hostile(text: &str) -> WeeklyReport {
    let mut report = build(busy());
    report.practice = text.to_owned();
    for machine in &mut report.machines {
        machine.name = text.to_owned();
        machine.sentence = text.to_owned();
    }
    for item in &mut report.items {
        item.headline = text.to_owned();
        item.paths = vec![text.to_owned(); 3];
        item.facts = vec![(text.to_owned(), text.to_owned()); 9];
    }
    for row in &mut report.heat {
        row.label = text.to_owned();
    }
    for line in report.changes.iter_mut().chain(&mut report.gaps) {
        line.sentence = text.to_owned();
    }
    report
}

fn n_pages(pdf: &[u8]) -> usize {
    let count = |word: &[u8]| pdf.windows(word.len()).filter(|bytes| *bytes == word).count();
    count(b"/Type/Page/").max(count(b"/Type /Page\n")).max(count(b"/Type/Page\n"))
}

fn skipped(why: &str) {
    println!("skipped: report::paper: {why}");
    if let Some(path) = std::env::var_os("NTK_SKIPS") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "report::paper: {why}").unwrap();
    }
}

/// The text of a PDF in the order in which it was written, without any white space.
fn read(pdf: &[u8]) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.pdf");
    fs::write(&path, pdf).unwrap();
    let read = Command::new("pdftotext").args(["-raw", "-enc", "UTF-8"]).arg(&path).arg("-").output().ok()?;
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
    Some(squeezed(&String::from_utf8(read.stdout).unwrap()))
}

fn squeezed(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_whitespace() && !"`“”".contains(*letter)).collect()
}

#[test]
fn a_quiet_week_is_one_page_and_the_busiest_four() {
    for (name, report, pages) in [
        ("quiet", build(quiet()), 1..=1),
        ("empty", build(input(&[], "2026-11-23T11:00:00Z")), 1..=1),
        ("busy", build(busy()), 2..=4),
        ("many", build(many()), 2..=4),
        ("hostile", hostile(&hostile_text()), 2..=4),
    ] {
        let pdf = render_pdf(&report).unwrap();
        if let Some(folder) = std::env::var_os("NTK_REPORTS") {
            fs::write(Path::new(&folder).join(format!("paper-{name}.pdf")), &pdf).unwrap();
            fs::write(Path::new(&folder).join(format!("paper-{name}.html")), render_html(&report)).unwrap();
        }
        assert!(pages.contains(&n_pages(&pdf)), "{name}: {} pages", n_pages(&pdf));
        assert_eq!(render_pdf(&report).unwrap(), pdf, "{name}: the same bytes");
    }
}

#[test]
fn numbers_and_sentences_agree_in_pdf_page_and_data() {
    for (name, report) in [("quiet", build(quiet())), ("busy", build(busy()))] {
        let Some(paper) = read(&render_pdf(&report).unwrap()) else {
            return skipped("pdftotext is not here");
        };
        let mut page = render_html(&report);
        for (escaped, letter) in [
            ("&#39;", "'"),
            ("&#60;", "<"),
            ("&#62;", ">"),
            ("&#34;", "\""),
            ("&#38;", "&"),
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&amp;", "&"),
            ("<code>", ""),
            ("</code>", ""),
        ] {
            page = page.replace(escaped, letter);
        }
        let page = squeezed(&page);
        let mut told = vec![report.title.clone(), report.practice.clone(), report.verdict.sentence.clone()];
        told.extend(report.verdict.more.clone());
        told.extend(report.items.iter().map(|item| item.headline.clone()));
        told.extend(report.items.iter().flat_map(|item| item.facts.iter().map(|(_, value)| value.clone())));
        told.extend(report.could_not_see.clone());
        told.extend(report.explained.iter().map(|line| line.sentence.clone()));
        told.extend(
            report.changes.iter().chain(&report.gaps).chain(&report.rights).map(|line| line.sentence.clone()),
        );
        told.push(report.footer.provable_until.clone());
        told.push(report.footer.custodians.clone());
        for sentence in told {
            let sentence = squeezed(&sentence);
            assert!(paper.contains(&sentence), "{name}: `{sentence}` is not on paper");
            assert!(page.contains(&sentence), "{name}: `{sentence}` is not on the page");
        }
        let mut numbers: Vec<String> = report.explained.iter().map(|line| number(line.count)).collect();
        numbers.extend(report.areas.iter().map(|area| number(area.count)));
        numbers.extend(report.heat.iter().map(|row| number(row.hours.iter().sum())));
        numbers.extend(report.trend.iter().flat_map(|week| [number(week.n_accesses), week.coverage()]));
        numbers.push(format!("Explained ({})", number(report.n_explained)));
        for n in numbers {
            assert!(paper.contains(&squeezed(&n)), "{name}: {n} is not on paper");
            assert!(page.contains(&squeezed(&n)), "{name}: {n} is not on the page");
        }
        for word in ACCUSING_WORDS {
            assert!(!paper.to_lowercase().contains(word), "RP-3: `{word}`");
        }
        for word in &report.footer.words {
            assert!(paper.contains(word.as_str()));
        }
    }
}

#[test]
fn what_is_not_on_paper_is_counted_there() {
    let Some(paper) = read(&render_pdf(&build(many())).unwrap()) else {
        return skipped("pdftotext is not here");
    };
    for what in
        ["changes:theystandinreport.htmlandreport.json", "machines:theystand", "itemstodecide:theystand"]
    {
        assert!(paper.contains(what), "{what}");
    }
}

#[test]
fn hostile_text_is_written_out_on_paper_and_on_the_page() {
    let report = hostile(&hostile_text());
    let html = render_html(&report);
    assert!(!html.contains('\u{202e}') && !html.contains('\u{0}') && !html.contains("<script"));
    assert!(html.contains("\\u{202e}") && html.contains("more letters in report.json"));
    let Some(paper) = read(&render_pdf(&report).unwrap()) else { return skipped("pdftotext is not here") };
    assert!(paper.contains("morelettersinreport.json"));
    // Where it is short there is room for all of it.
    let mut short = build(busy());
    for item in short.items.iter_mut().take(1) {
        item.headline = hostile_text().trim_end_matches('W').to_owned();
    }
    let Some(paper) = read(&render_pdf(&short).unwrap()) else { return };
    for written in ["<script>", "\\u{202e}", "\\u{0}", "\\u{200b}", "\\u{1f469}", "\\u{674e}"] {
        assert!(paper.contains(written), "{written}");
    }
}

#[test]
fn preflight_finds_it_fit_for_archives_and_a_broken_twin_not() {
    let jars: Vec<String> =
        JARS.iter().chain(&["jaxb-api"]).map(|jar| format!("/usr/share/java/{jar}.jar")).collect();
    if let Some(missing) = jars.iter().find(|jar| !Path::new(jar).exists()) {
        return skipped(&format!("{missing} is not here"));
    }
    let folder = tempfile::tempdir().unwrap();
    let judged = |name: &str, pdf: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, pdf).unwrap();
        let mut java = Command::new("java");
        java.args(["-cp", &jars.join(":"), "org.apache.pdfbox.preflight.Validator_A1b"]).arg(&path);
        let said = java.output().ok()?;
        Some((said.status.success(), String::from_utf8_lossy(&said.stdout).into_owned()))
    };
    for (name, report) in [
        ("quiet.pdf", build(quiet())),
        ("many.pdf", build(many())),
        ("hostile.pdf", hostile(&hostile_text())),
    ] {
        let pdf = render_pdf(&report).unwrap();
        let Some((is_fit, said)) = judged(name, &pdf) else { return skipped("java is not here") };
        assert!(is_fit && said.contains("is a valid PDF/A-1b file"), "{name}: {said}");
        let place = pdf.windows(12).position(|bytes| bytes == b"pdfaid:part>").unwrap();
        let mut twin = pdf.clone();
        twin[place + 12] = b'7';
        let (is_fit, said) = judged("twin.pdf", &twin).unwrap();
        assert!(!is_fit, "{name}: {said}");
    }
    if let Some(path) = std::env::var_os("NTK_STRANGERS") {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
        writeln!(file, "shape PDFBox preflight").unwrap();
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn no_text_stops_it(text in any::<String>(), n in 0usize..400) {
        let pdf = render_pdf(&hostile(&text.repeat(n % 40 + 1))).unwrap();
        prop_assert!(pdf.starts_with(b"%PDF-1.4") && n_pages(&pdf) <= 4);
    }
}
