//! The report as a flow of headings, items, tables and drawings, in the order of the page on the screen.

mod numbers;

use super::super::html::{administers, calm, day_starts, machine_sentences, settled};
use super::super::shown::cut;
use super::super::text::number;
use super::super::week::Week;
use super::super::{Item, Line, WeeklyReport};
use super::figures;
use super::fit::Room;
use super::flow::{Cell, Flow, Ink, Mark, Piece, Role, Strip, Style, WIDTH, stacked};
use super::font::{Face, Faces};
use crate::finding::Severity;
use crate::finding::step::FindingState;
use crate::need_to_know::Judgement;

/// Where the rest of what is cut stands.
const ELSEWHERE: &str = "in report.html and report.json";

/// Puts the report down in the room that is given.
pub(super) fn flow<'f>(report: &WeeklyReport, room: &Room, faces: &'f Faces) -> Flow<'f> {
    let mut sheet = Sheet { report, room, flow: Flow::new(faces) };
    sheet.head();
    sheet.items();
    sheet.matters();
    sheet.roster();
    sheet.seen();
    sheet.numbers();
    sheet.earlier();
    sheet.notes();
    sheet.sign();
    sheet.trust();
    sheet.flow
}

struct Sheet<'a, 'f> {
    report: &'a WeeklyReport,
    room: &'a Room,
    flow: Flow<'f>,
}

impl Sheet<'_, '_> {
    fn style(&self, size: f32, face: Face, ink: Ink) -> Style {
        Style { size: size * self.room.scale, face, ink }
    }

    fn body(&self) -> Style {
        self.style(8.8, Face::Regular, Ink::Text)
    }

    fn small(&self) -> Style {
        self.style(8.0, Face::Regular, Ink::Text)
    }

    fn soft(&self) -> Style {
        self.style(8.0, Face::Regular, Ink::Soft)
    }

    fn gap(&self, points: f32) -> f32 {
        points * self.room.scale
    }

    fn section(&mut self, words: &str) {
        let (style, gap) = (self.style(10.8, Face::Strong, Ink::Text), self.gap(9.0));
        self.flow.heading(2, words, style, gap);
    }

    fn part(&mut self, words: &str) {
        let (style, gap) = (self.style(9.0, Face::Strong, Ink::Text), self.gap(6.0));
        self.flow.heading(3, words, style, gap);
    }

    /// As much of a stranger's text as there is room for.
    fn bounded(&self, text: &str) -> String {
        typed(&cut(text, self.room.letters))
    }

    fn bounded_all<'t>(&self, all: impl IntoIterator<Item = &'t String>) -> Vec<String> {
        all.into_iter().map(|text| self.bounded(text)).collect()
    }

    /// Of so many, how many are shown, and the sentence that tells of the rest.
    fn rest(&self, n: usize, max: usize, what: &str) -> (usize, Option<String>) {
        // One more line that says "and one more" is no gain.
        if n <= max.saturating_add(1) {
            return (n, None);
        }
        let more = u64::try_from(n.saturating_sub(max)).unwrap_or(u64::MAX);
        (max, Some(format!("And {} more {what}: they stand {ELSEWHERE}.", number(more))))
    }

    fn head(&mut self) {
        let report = self.report;
        let above = [
            Some(report.practice.clone()),
            report.number.map(|number| format!("Report {number}")),
            Some(format!("made {}", report.made)),
        ];
        let above: Vec<String> = above.into_iter().flatten().map(|part| self.bounded(&part)).collect();
        let below = format!("{} · week {} · times in {}", report.period, report.week, report.timezone);
        let (soft, title) = (self.soft(), self.style(19.0, Face::Strong, Ink::Text));
        self.flow.paragraph(&above.join(" · "), soft, 0.0);
        self.flow.heading(1, &report.title, title, 1.0);
        self.flow.paragraph(&self.bounded(&below), soft, 1.0);
        let (verdict, gap) = (self.style(12.6, Face::Strong, Ink::Text), self.gap(9.0));
        self.flow.paragraph(&self.bounded(&report.verdict.sentence), verdict, gap);
        let (more, rest) = self.rest(report.verdict.more.len(), self.room.rows, "sentences");
        let mut sentences = self.bounded_all(report.verdict.more.iter().take(more));
        sentences.extend(rest);
        if report.n_recorded > 0 {
            sentences.push(format!(
                "From a recording: {} of this week’s entries were played from a recording, not seen live. Items made of them are marked.",
                number(report.n_recorded)
            ));
        }
        if report.n_imported > 0 {
            sentences.push(format!(
                "Collected afterwards: {} of this week’s entries are records of a mail service or server itself. Items made of them are marked.",
                number(report.n_imported)
            ));
        }
        let style = self.body();
        self.flow.list(&sentences, style, self.gap(4.0));
    }

    fn items(&mut self) {
        let items = &self.report.items;
        if items.is_empty() {
            return;
        }
        self.section(&format!("For you to decide ({})", items.len()));
        let (n_cards, _) = self.rest(items.len(), self.room.cards, "");
        let (cards, others) = items.split_at(n_cards.min(items.len()));
        for item in cards {
            self.card(item);
        }
        if others.is_empty() {
            return;
        }
        self.part(&format!("{} more items", others.len()));
        let soft = self.soft();
        self.flow.paragraph(
            "So many items in one week are worth a question of their own. Each opens by its number: “ntk-collector finding” and the number.",
            soft,
            1.0,
        );
        let (n, rest) = self.rest(others.len(), self.room.lines, "items to decide");
        let table = self.flow.number();
        let (small, head) = (self.small(), self.soft());
        self.columns(table, 0, &[("Accesses", head), ("What", head), ("Finding", head)], true);
        for (row, item) in (1u32..).zip(others.iter().take(n)) {
            let mut what = item.headline.clone();
            if item.incident.outcome == Judgement::Never {
                what = format!("{what} ({})", item.tag);
            }
            if let Some(tag) = item.finding.source_tag() {
                what.push_str(&format!(" ({tag})"));
            }
            let what = cut(&what, self.room.letters.min(220));
            let n = number(item.incident.n_accesses);
            self.columns(table, row, &[(&n, small), (&what, small), (&item.finding.id, small)], false);
        }
        self.more(rest);
    }

    /// A number, what, and something short at the right.
    fn columns(&mut self, table: u32, row: u32, cells: &[(&str, Style)], is_head: bool) {
        let places: &[(f32, f32, bool)] = match cells.len() {
            2 => &[(0.0, 46.0, true), (56.0, WIDTH - 56.0, false)],
            _ => &[(0.0, 46.0, true), (56.0, WIDTH - 160.0, false), (WIDTH - 96.0, 96.0, false)],
        };
        let cells: Vec<Cell> = cells
            .iter()
            .zip(places)
            .map(|((text, style), (x, width, is_right))| Cell {
                x: *x,
                width: *width,
                text: (*text).to_owned(),
                style: *style,
                is_head,
                is_right: *is_right,
            })
            .collect();
        self.flow.row(table, row, &cells, 0.0);
    }

    fn more(&mut self, sentence: Option<String>) {
        if let Some(sentence) = sentence {
            let style = self.style(8.0, Face::Strong, Ink::Text);
            self.flow.paragraph(&sentence, style, 2.0);
        }
    }

    fn card(&mut self, item: &Item) {
        let is_never = item.incident.outcome == Judgement::Never;
        let mut tags = vec![item.tag.clone()];
        if item.incident.severity == Severity::Urgent {
            tags.push("look at it today".to_owned());
        }
        if item.incident.is_flood {
            tags.push(format!("{} questions as one", number(item.incident.grouped)));
        }
        if item.state != FindingState::Open {
            tags.push(item.state.in_words().to_owned());
        }
        tags.extend(item.finding.source_tag().map(ToOwned::to_owned));
        let ink = if is_never { Ink::Red } else { Ink::Amber };
        let (tag, headline) = (self.style(7.8, Face::Strong, ink), self.style(9.8, Face::Strong, Ink::Text));
        let (body, soft) = (self.small(), self.style(7.4, Face::Regular, Ink::Soft));
        let mut strips = Vec::new();
        let text =
            |sheet: &mut Self, strips: &mut Vec<Strip>, text: &str, style: Style, role: Option<Role>| {
                let text = sheet.flow.faces.showable(text);
                let role = role.unwrap_or(Role::Paragraph(sheet.flow.number()));
                strips.extend(sheet.flow.text_strips(&text, style, INSET, WIDTH, &role));
            };
        text(self, &mut strips, &tags.join(" · "), tag, None);
        let line = self.bounded(&item.headline);
        let role = Role::Heading(3, self.flow.faces.showable(&line));
        text(self, &mut strips, &line, headline, Some(role));
        let table = self.flow.number();
        let mut facts: Vec<(String, String)> =
            item.facts.iter().map(|(name, value)| (name.clone(), self.bounded(value))).collect();
        let paths: Vec<String> =
            item.paths.iter().map(|path| cut(path, self.room.letters.min(160))).collect();
        facts.extend((!paths.is_empty()).then(|| ("Files".to_owned(), paths.join(" · "))));
        facts.push((
            "Rule out first".to_owned(),
            self.bounded(&format!("{}.", item.innocent_causes.join("; "))),
        ));
        facts.push(("Not shown".to_owned(), self.bounded(&item.not_shown.join(" "))));
        for (row, (name, value)) in (1u32..).zip(facts) {
            let cell = |x: f32, width: f32, text: String, style: Style, is_head: bool| Cell {
                x,
                width,
                text,
                style,
                is_head,
                is_right: false,
            };
            let cells = [
                cell(INSET, NAMES, name, Style { ink: Ink::Soft, ..body }, true),
                cell(INSET + NAMES, WIDTH - INSET - NAMES, value, body, false),
            ];
            strips.push(self.flow.row_strip(table, row, &cells, false));
        }
        strips.push(self.boxes(&["expected, because", "ask", "escalate to the reviewer"]));
        let mut records = item.records.clone();
        if let Some(stands_for) = &item.stands_for {
            records = format!("{stands_for} {records}");
        }
        let records = cut(&typed(&records), self.room.letters.min(300));
        text(self, &mut strips, &records, soft, None);
        let edge = if is_never { (Ink::Red, 2.2) } else { (Ink::Line, 1.2) };
        for strip in &mut strips {
            let line = Mark::Line { from: (1.0, 0.0), to: (1.0, strip.height), ink: edge.0, pen: edge.1 };
            strip.pieces.push(Piece { role: Role::Decoration, marks: vec![line] });
        }
        let gap = self.gap(8.0);
        self.flow.push(strips, gap, true, false);
    }

    /// Boxes to tick, the first with a line to write on.
    fn boxes(&mut self, words: &[&str]) -> Strip {
        let style = self.body();
        let number = self.flow.number();
        let (mut x, y) = (INSET, style.size * 1.06 + 3.0);
        let mut marks = Vec::new();
        let mut drawn = Vec::new();
        for (place, word) in words.iter().enumerate() {
            let side = style.size * 0.95;
            drawn.push(Mark::Frame {
                x,
                y: y - side + 0.8,
                width: side,
                height: side,
                ink: Ink::Text,
                pen: 0.8,
            });
            x += side + 4.0;
            let text = format!("{word} ");
            let width = self.flow.faces.of(style.face).width(&text, style.size);
            marks.push(Mark::Text { x, y, style, text });
            x += width;
            if place == 0 && word.ends_with("because") {
                drawn.push(Mark::Line {
                    from: (x + 1.0, y + 1.5),
                    to: (x + 180.0, y + 1.5),
                    ink: Ink::Soft,
                    pen: 0.5,
                });
                x += 180.0;
            }
            x += 14.0;
        }
        let pieces = vec![
            Piece { role: Role::Decoration, marks: drawn },
            Piece { role: Role::Paragraph(number), marks },
        ];
        Strip { height: style.leading() + 5.0, pieces }
    }

    fn boxed(&mut self, word: &str) {
        let strip = self.boxes(&[word]);
        self.flow.push(vec![strip], 0.0, true, false);
    }

    fn matters(&mut self) {
        let (report, small, body) = (self.report, self.soft(), self.small());
        if !report.break_glass.is_empty() {
            self.section(&format!("Break-glass ({})", report.break_glass.len()));
        }
        let table = self.flow.number();
        let (n, rest) = self.rest(report.break_glass.len(), self.room.rows, "uses of break-glass");
        for (row, line) in (1u32..).zip(report.break_glass.iter().take(n)) {
            self.dated(table, row, (&line.when, small), (&self.bounded(&line.sentence), body));
            if line.is_to_decide {
                self.boxed(&format!(
                    "to be acknowledged by another person: ntk-collector break-glass acknowledge {}",
                    line.id
                ));
            }
        }
        self.more(rest);
        if !report.tickets.is_empty() {
            self.section(&format!("Tickets worth a look ({})", report.tickets.len()));
        }
        let table = self.flow.number();
        let (n, rest) = self.rest(report.tickets.len(), self.room.rows, "tickets");
        for (row, line) in (1u32..).zip(report.tickets.iter().take(n)) {
            self.dated(table, row, (&line.when, small), (&self.bounded(&line.sentence), body));
            if line.is_to_decide {
                self.boxed("looked into, because");
            }
        }
        self.more(rest);
    }

    /// When and what.
    fn dated(&mut self, table: u32, row: u32, when: (&str, Style), what: (&str, Style)) {
        let cell = |x: f32, width: f32, (text, style): (&str, Style)| Cell {
            x,
            width,
            text: text.to_owned(),
            style,
            is_head: false,
            is_right: false,
        };
        let cells = [cell(0.0, WHEN - 8.0, when), cell(WHEN, WIDTH - WHEN, what)];
        self.flow.row(table, row, &cells, 0.0);
    }

    fn lines(&mut self, lines: &[Line], what: &str) {
        let (when, plain) = (self.soft(), self.small());
        let strong = self.style(8.0, Face::Strong, Ink::Text);
        let table = self.flow.number();
        let (n, rest) = self.rest(lines.len(), self.room.rows, what);
        // What stands with the verdict too is shown first where not all fits.
        let mut order: Vec<&Line> = lines.iter().collect();
        if rest.is_some() {
            order.sort_by_key(|line| !line.is_prominent);
        }
        for (row, line) in (1u32..).zip(order.into_iter().take(n)) {
            let style = if line.is_prominent { strong } else { plain };
            self.dated(table, row, (&line.when, when), (&self.bounded(&line.sentence), style));
        }
        self.more(rest);
    }

    fn roster(&mut self) {
        let (part, small) = (&self.report.roster, self.small());
        let sentence = part.standing_permits.as_ref();
        if part.new_items.is_empty() && part.unknown_accounts.is_empty() && sentence.is_none() {
            return;
        }
        self.section("People and accounts");
        let (n, rest) = self.rest(part.new_items.len(), self.room.rows, "matters of the roster");
        for item in part.new_items.iter().take(n) {
            self.flow.paragraph(&self.bounded(item), small, 2.0);
            self.boxed("done, or right as it is, because");
        }
        self.more(rest);
        if !part.unknown_accounts.is_empty() {
            self.part("Accounts that nobody holds yet");
            let table = self.flow.number();
            let (n, rest) = self.rest(part.unknown_accounts.len(), self.room.rows, "accounts");
            for (row, account) in (1u32..).zip(part.unknown_accounts.iter().take(n)) {
                let (n, what) = (number(account.n_records), self.bounded(&account.sentence));
                self.columns(table, row, &[(&n, small), (&what, small)], false);
            }
            self.more(rest);
        }
        if let Some(sentence) = sentence {
            self.flow.paragraph(&self.bounded(sentence), small, 3.0);
        }
    }

    fn seen(&mut self) {
        let (report, small) = (self.report, self.small());
        self.section("What we could see");
        if report.machines.is_empty() {
            self.flow.paragraph("No machine is enrolled.", small, 0.0);
        } else {
            let starts = day_starts(report);
            let days: Vec<String> = Week::parse(&report.week)
                .map(Week::days)
                .unwrap_or_default()
                .iter()
                .map(|day| day.strftime("%a %-d").to_string())
                .collect();
            let mut machines = report.machines.clone();
            let (n, rest) = self.rest(machines.len(), self.room.machines, "machines");
            if rest.is_some() {
                // The least seen first.
                machines.sort_by_key(|machine| {
                    super::super::trend::Covered::of(std::slice::from_ref(machine)).percent()
                });
            }
            machines.truncate(n);
            let (words, height, marks) = figures::coverage(&machines, &days, &starts, self.flow.faces);
            self.flow.figure(words, height, marks, 3.0);
            self.more(rest);
            let sentences = machine_sentences(report);
            let (n, rest) = self.rest(sentences.len(), self.room.rows, "machines in words");
            let sentences = self.bounded_all(sentences.iter().take(n));
            self.flow.list(&sentences, small, 3.0);
            self.more(rest);
        }
        for (heading, lines, what) in [
            ("Records that were lost", &report.gaps, "losses"),
            ("Done to the recording itself", &report.recording_changes, "things done to the recording"),
            ("Changes by people: table, roster, passphrases, machines", &report.changes, "changes"),
            ("Who looked at reports and records", &report.previous_opens, "looks"),
        ] {
            if !lines.is_empty() {
                self.part(heading);
                self.lines(lines, what);
            }
        }
        self.section("What we could not see");
        let (n, rest) = self.rest(report.could_not_see.len(), self.room.lines, "sentences");
        let sentences = self.bounded_all(report.could_not_see.iter().take(n));
        self.flow.list(&sentences, small, 0.0);
        self.more(rest);
        if !report.rights.is_empty() {
            self.section(&format!("Changed rights ({})", report.rights.len()));
            self.lines(&report.rights, "changes of rights");
        }
    }

    fn sign(&mut self) {
        let style = self.body();
        let (number, y) = (self.flow.number(), style.size * 1.06 + 4.0);
        let width = |text: &str| self.flow.faces.of(style.face).width(text, style.size);
        let (by, on) = (width("Reviewed by "), width("on "));
        let rule = |from: f32, to: f32| Mark::Line {
            from: (from, y + 2.0),
            to: (to, y + 2.0),
            ink: Ink::Soft,
            pen: 0.6,
        };
        let text = |x: f32, text: &str| Mark::Text { x, y, style, text: text.to_owned() };
        let pieces = vec![
            Piece {
                role: Role::Paragraph(number),
                marks: vec![text(0.0, "Reviewed by "), text(330.0, "on ")],
            },
            Piece { role: Role::Decoration, marks: vec![rule(by, 318.0), rule(330.0 + on, WIDTH)] },
        ];
        let gap = self.gap(8.0);
        self.flow.push(vec![Strip { height: style.leading() + 6.0, pieces }], gap, true, false);
    }

    fn trust(&mut self) {
        let (footer, small) = (&self.report.footer, self.style(7.6, Face::Regular, Ink::Text));
        self.section("How far this page can be trusted");
        let passed = match footer.self_check_passed {
            Some(true) => "The ledger’s check of itself passed.",
            Some(false) => "The ledger’s check of itself did not pass.",
            None => "The ledger has not checked itself yet.",
        };
        let parts = [
            &footer.provable_until,
            &footer.outside,
            &footer.time_stamps,
            &footer.custodians,
            passed,
            &footer.self_check,
            &footer.at_rest,
        ];
        let parts: Vec<String> =
            parts.into_iter().filter(|part| !part.is_empty()).map(|part| self.bounded(part)).collect();
        self.flow.paragraph(&parts.join(" "), small, 0.0);
        if !footer.words.is_empty() {
            let strip = self.checkpoint();
            self.flow.push(vec![strip], 4.0, true, false);
        }
        let mut facts = Vec::new();
        let administers = administers(self.report);
        for (name, value) in [
            ("Where this is kept", footer.place.trim_end_matches('.')),
            ("Administered by", administers.as_str()),
            ("Root of the log", footer.root.as_str()),
            ("First entry", footer.first_entry.as_deref().unwrap_or_default()),
            ("Last entry", footer.last_entry.as_deref().unwrap_or_default()),
            ("Table", footer.policy_hash.as_str()),
            ("Roster", footer.roster_version.as_str()),
        ] {
            if !value.is_empty() {
                facts.push(format!("{name}: {}", self.bounded(value)));
            }
        }
        facts.push(
            "How to check: ntk-verify, on another computer, names the practice key of an evidence bundle in the same twelve words, or it is another practice’s"
                .to_owned(),
        );
        let made = match footer.version.as_str() {
            "" => String::new(),
            version => format!(" Made by Need-to-Know {version}."),
        };
        let keep = "Whoever administers the computer, the network or the backup could have stopped records from being made; such holes show above as silence. Keep this page like a patient record, where the people it speaks of cannot change it.";
        let tiny = self.style(6.8, Face::Regular, Ink::Soft);
        self.flow.paragraph(&format!("{}. {keep}{made}", facts.join(" · ")), tiny, 4.0);
    }

    /// The code with its words beside it.
    fn checkpoint(&mut self) -> Strip {
        let footer = &self.report.footer;
        let side = 58.0 * self.room.scale;
        let marks = figures::code(self.report, side);
        let left = if marks.is_empty() { 0.0 } else { side + 16.0 };
        let (small, strong) =
            (self.style(7.6, Face::Regular, Ink::Text), self.style(8.4, Face::Strong, Ink::Text));
        let mut strips = Vec::new();
        let first = format!(
            "The ledger stood at {} batches of entries. Its checkpoint in words; another ledger for this week would need other words:",
            number(footer.log_size)
        );
        let words: Vec<String> =
            (1..).zip(&footer.words).map(|(n, word): (u32, _)| format!("{n}\u{a0}{word}")).collect();
        let practice = format!("The practice key in words: {}", footer.practice_words);
        let code = "The square holds the same checkpoint for a camera. Whoever keeps a photograph of it can show later whether the ledger was changed.";
        for (text, style) in
            [(first.as_str(), small), (&words.join("   "), strong), (&practice, small), (code, small)]
        {
            let number = self.flow.number();
            let text = self.flow.faces.showable(&cut(text, 400));
            strips.extend(self.flow.text_strips(&text, style, left, WIDTH, &Role::Paragraph(number)));
        }
        let mut pieces = Vec::new();
        if !marks.is_empty() {
            let words =
                format!("QR code of the checkpoint: {}", footer.checkpoint.trim_end().replace('\n', ", "));
            pieces.push(Piece { role: Role::Figure(self.flow.faces.showable(&cut(&words, 400))), marks });
        }
        let beside = stacked(strips);
        pieces.extend(beside.pieces);
        Strip { height: beside.height.max(side + 4.0), pieces }
    }
}

/// From the edge of a card to its text.
const INSET: f32 = 10.0;
/// Names of facts.
const NAMES: f32 = 92.0;
/// Half the width, with some room between.
const HALF: f32 = 250.0;
/// Moments.
const WHEN: f32 = 158.0;

/// Backticks mark what is typed; on paper quotation marks do.
fn typed(text: &str) -> String {
    let mut typed = String::with_capacity(text.len());
    let is_paired = text.matches('`').count().is_multiple_of(2);
    for (place, part) in text.split('`').enumerate() {
        if place > 0 {
            typed.push_str(match (is_paired, place % 2) {
                (false, _) => "`",
                (true, 1) => "“",
                (true, _) => "”",
            });
        }
        typed.push_str(part);
    }
    typed
}
