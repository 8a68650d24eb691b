//! The numbers of the week: accesses by area, hours, weeks before, reasons; what is settled, what is open, notes.

use super::*;

impl Sheet<'_, '_> {
    pub(super) fn numbers(&mut self) {
        let report = self.report;
        if !report.heat.is_empty() {
            self.section("When protected files were reached, by account and hour");
            let (words, height, marks) = figures::heat(&report.heat, self.flow.faces);
            self.flow.figure(words, height, marks, 3.0);
        }
        if !report.trend.is_empty() {
            self.section("This week beside those before it");
            let (words, height, marks) = figures::trend(&report.trend, self.flow.faces);
            self.flow.figure(words, height, marks, 0.0);
        }
        let (areas, explained) = (self.areas(), self.explained());
        let gap = self.gap(9.0);
        match (areas.is_empty(), explained.is_empty()) {
            (true, true) => {}
            (false, false) => self.flow.beside(areas, explained, gap),
            _ => self.flow.push(areas.into_iter().chain(explained).collect(), gap, true, false),
        }
        let (_, rest) = self.rest(report.explained.len(), self.room.reasons(), "reasons");
        self.more(rest);
    }

    /// Heading and rows of a table half a page wide.
    fn half(
        &mut self,
        words: &str,
        left: f32,
        rows: &[Vec<(f32, f32, String, bool)>],
        is_headed: bool,
    ) -> Vec<Strip> {
        let heading = self.style(10.8, Face::Strong, Ink::Text);
        let role = Role::Heading(2, words.to_owned());
        let mut strips = self.flow.text_strips(words, heading, left, left + HALF, &role);
        let (body, head) = (self.small(), self.soft());
        let table = self.flow.number();
        for (place, row) in (0u32..).zip(rows) {
            let is_head = is_headed && place == 0;
            let cell = |(x, width, text, is_right): &(f32, f32, String, bool)| Cell {
                x: left + x,
                width: *width,
                text: text.clone(),
                style: if is_head { head } else { body },
                is_head,
                is_right: *is_right,
            };
            let cells: Vec<Cell> = row.iter().map(cell).collect();
            // The first row of a table without a head is no head.
            let number = if is_headed { place } else { place.saturating_add(1) };
            strips.push(self.flow.row_strip(table, number, &cells, true));
        }
        strips
    }

    fn areas(&mut self) -> Vec<Strip> {
        if self.report.areas.is_empty() {
            return Vec::new();
        }
        let row = |this: String, usual: String, area: String| {
            vec![(0.0, 44.0, this, true), (50.0, 52.0, usual, true), (112.0, HALF - 112.0, area, false)]
        };
        let mut rows = vec![row("This week".to_owned(), "Usual week".to_owned(), "Area".to_owned())];
        for area in &self.report.areas {
            let usual = area.median.map_or_else(|| "–".to_owned(), number);
            rows.push(row(number(area.count), usual, area.heading.clone()));
        }
        self.half("Accesses by area", 0.0, &rows, true)
    }

    fn explained(&mut self) -> Vec<Strip> {
        let report = self.report;
        if report.explained.is_empty() {
            return Vec::new();
        }
        let (n, _) = self.rest(report.explained.len(), self.room.reasons(), "");
        let row = |(count, words): (String, String)| {
            vec![(0.0, 38.0, count, true), (46.0, HALF - 46.0, words, false)]
        };
        let mut rows = vec![row(("Count".to_owned(), "Because".to_owned()))];
        for line in report.explained.iter().take(n) {
            rows.push(row((number(line.count), cut(&line.sentence, self.room.letters.min(200)))));
        }
        let left = if report.areas.is_empty() { 0.0 } else { WIDTH - HALF };
        self.half(&format!("Explained ({})", number(report.n_explained)), left, &rows, true)
    }

    pub(super) fn earlier(&mut self) {
        let (report, small, soft) = (self.report, self.small(), self.soft());
        if !report.settled.is_empty() {
            self.section(&format!("Decided or covered by an earlier answer ({})", report.settled.len()));
            self.flow.paragraph(&settled(report), soft, 0.0);
            let (n, rest) = self.rest(report.settled.len(), self.room.rows, "decided questions");
            let lines: Vec<String> = report
                .settled
                .iter()
                .take(n)
                .map(|line| {
                    format!("{} {} ({})", self.bounded(&line.headline), self.bounded(&line.sentence), line.id)
                })
                .collect();
            self.flow.list(&lines, small, 2.0);
            self.more(rest);
        }
        if !report.undecided.is_empty() {
            self.section(&format!("Still open from earlier weeks ({})", report.undecided.len()));
            let table = self.flow.number();
            let (n, rest) = self.rest(report.undecided.len(), self.room.rows, "open questions");
            for (row, line) in (1u32..).zip(report.undecided.iter().take(n)) {
                let what = format!("{} ({})", self.bounded(&line.headline), line.id);
                self.dated(table, row, (&line.age, soft), (&what, small));
            }
            self.more(rest);
        }
    }

    pub(super) fn notes(&mut self) {
        let (report, small) = (self.report, self.small());
        if !report.unknown.is_empty() || !report.not_evaluated.is_empty() {
            self.section("For whoever keeps the system running");
            let known = report.not_evaluated.iter().map(|line| (line.count, line.sentence.clone()));
            let unknown = report
                .unknown
                .iter()
                .map(|line| (line.count, format!("not known to this version: {}", line.sentence)));
            let all: Vec<String> = known
                .chain(unknown)
                .map(|(n, sentence)| self.bounded(&format!("{} × {sentence}", number(n))))
                .collect();
            let (n, rest) = self.rest(all.len(), self.room.rows, "notes");
            self.flow.list(&all.into_iter().take(n).collect::<Vec<_>>(), small, 0.0);
            self.more(rest);
            let soft = self.soft();
            self.flow.paragraph("None of this is held against anybody.", soft, 1.0);
        }
        let calm = calm(report);
        if !calm.is_empty() {
            self.section("Also looked at: nothing to tell");
            self.flow.paragraph(&calm.join(" "), small, 0.0);
        }
    }
}
