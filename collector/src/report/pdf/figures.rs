//! The drawings: coverage, heat map, trend, the checkpoint's code. Each says its numbers in text, and greys keep it apart.

use jiff::Timestamp;
use qrcode::{Color, EcLevel, QrCode};

use super::super::coverage::{Interval, MachineCoverage, State};
use super::super::drawing::{heat_step, shortened};
use super::super::text::{count, number};
use super::super::trend::TrendWeek;
use super::super::{HeatRow, WeeklyReport};
use super::flow::{Ink, Mark, Style, WIDTH};
use super::font::{Face, Faces};

const NAMES: f32 = 132.0;
const SMALL: Style = Style { size: 6.6, face: Face::Regular, ink: Ink::Soft };

/// A drawing: its words, its height, its marks.
pub(super) type Drawing = (String, f32, Vec<Mark>);

fn points(n: usize) -> f32 {
    u16::try_from(n).map_or(f32::from(u16::MAX), f32::from)
}

/// `part` of `whole`, 0 to 1.
fn share(part: u64, whole: u64) -> f32 {
    let thousandths = u128::from(part).saturating_mul(10_000).checked_div(u128::from(whole)).unwrap_or(0);
    u16::try_from(thousandths.min(10_000)).map_or(1.0, f32::from) / 10_000.0
}

struct Pen<'f> {
    faces: &'f Faces,
    marks: Vec<Mark>,
}

impl Pen<'_> {
    fn text(&mut self, x: f32, y: f32, style: Style, text: &str) {
        let text = self.faces.showable(text);
        self.marks.push(Mark::Text { x, y, style, text });
    }

    fn centred(&mut self, x: f32, y: f32, style: Style, text: &str) {
        let width = self.faces.of(style.face).width(text, style.size);
        self.text(x - width / 2.0, y, style, text);
    }

    fn right(&mut self, x: f32, y: f32, style: Style, text: &str) {
        let width = self.faces.of(style.face).width(text, style.size);
        self.text(x - width, y, style, text);
    }

    /// As much of a name as stands within `width`.
    fn name(&mut self, y: f32, style: Style, name: &str, width: f32) {
        let name = self.faces.showable(name);
        let face = self.faces.of(style.face);
        let mut letters = name.chars().count();
        let mut short = name.clone();
        while letters > 1 && face.width(&short, style.size) > width {
            letters = letters.saturating_sub(1);
            short = shortened(&name, letters);
        }
        self.marks.push(Mark::Text { x: 0.0, y, style, text: short });
    }

    fn area(&mut self, x: f32, y: f32, width: f32, height: f32, ink: Ink) {
        self.marks.push(Mark::Area { x, y, width, height, ink });
    }

    fn state(&mut self, state: State, x: f32, y: f32, width: f32, height: f32) {
        match state {
            State::NotEnrolled => {}
            State::Reporting => self.area(x, y, width, height, Ink::Teal),
            State::Off => self.area(x, y, width, height, Ink::Wash),
            State::Silent => self.hatched(x, y, width.max(1.6), height),
            State::Unknown => {
                self.area(x, y, width, height, Ink::Wash);
                let mut corners = Vec::new();
                let mut left = x + 1.2;
                while left + 1.0 < x + width {
                    corners.push((left, y + height / 2.0 - 0.5));
                    left += 3.4;
                }
                if !corners.is_empty() {
                    self.marks.push(Mark::Squares { side: 1.0, corners, ink: Ink::Soft });
                }
            }
        }
    }

    fn hatched(&mut self, x: f32, y: f32, width: f32, height: f32) {
        self.area(x, y, width, height, Ink::Paper);
        let mut start = x - height + 1.0;
        while start < x + width {
            // From the lower left to the upper right, cut off at both sides of the bar.
            let (from, to) = (start.max(x), (start + height).min(x + width));
            if from < to {
                let ends = ((from, y + height - (from - start)), (to, y + height - (to - start)));
                self.marks.push(Mark::Line { from: ends.0, to: ends.1, ink: Ink::Amber, pen: 0.9 });
            }
            start += 2.6;
        }
        self.marks.push(Mark::Frame { x, y, width, height, ink: Ink::Amber, pen: 0.6 });
    }
}

/// When each machine reported, and the key.
pub(super) fn coverage(
    machines: &[MachineCoverage],
    days: &[String],
    day_starts: &[Timestamp],
    faces: &Faces,
) -> Drawing {
    let (Some(from), Some(to)) = (day_starts.first(), day_starts.last()) else {
        return (String::new(), 0.0, Vec::new());
    };
    let mut pen = Pen { faces, marks: Vec::new() };
    let whole = u64::try_from(to.duration_since(*from).as_secs()).unwrap_or(0);
    let room = WIDTH - NAMES;
    let place = |at: Timestamp| {
        let seconds = u64::try_from(at.duration_since(*from).as_secs()).unwrap_or(0);
        NAMES + room * share(seconds, whole)
    };
    for (day, start) in days.iter().zip(day_starts) {
        pen.text(place(*start) + 2.0, 6.5, SMALL, day);
    }
    let (bar, step) = if machines.len() > 12 { (6.0, 9.0) } else { (8.4, 12.0) };
    let name =
        Style { size: if machines.len() > 12 { 6.8 } else { 7.8 }, face: Face::Regular, ink: Ink::Text };
    let mut y = 10.0;
    for machine in machines {
        pen.name(y + bar - 1.4, name, &machine.name, NAMES - 8.0);
        for interval in &machine.intervals {
            let (left, right) = (place(interval.from), place(interval.to));
            pen.state(interval.state, left, y, (right - left).max(0.5), bar);
        }
        y += step;
    }
    for start in day_starts {
        let x = place(*start);
        pen.marks.push(Mark::Line { from: (x, 9.0), to: (x, y - step + bar), ink: Ink::Paper, pen: 0.6 });
    }
    let mut x = NAMES;
    for (state, words) in [
        (State::Reporting, "reporting"),
        (State::Off, "off or asleep"),
        (State::Silent, "running but silent"),
        (State::Unknown, "not known"),
    ] {
        pen.state(state, x, y + 1.6, 15.0, 6.0);
        pen.text(x + 19.0, y + 7.2, SMALL, words);
        x += 31.0 + faces.of(SMALL.face).width(words, SMALL.size);
    }
    let words: Vec<String> = machines.iter().map(spoken).collect();
    (format!("When each machine reported. {}", words.join(" ")), y + 9.0, pen.marks)
}

/// `ws-01: 168 h reporting, 2 h silent.`
fn spoken(machine: &MachineCoverage) -> String {
    let minutes = |state: State| -> u64 {
        let of_state = machine.intervals.iter().filter(|interval| interval.state == state);
        let length = |interval: &Interval| interval.to.duration_since(interval.from).as_mins();
        of_state.filter_map(|interval| u64::try_from(length(interval)).ok()).sum()
    };
    let parts: Vec<String> = [
        (State::Reporting, "reporting"),
        (State::Off, "off"),
        (State::Silent, "silent while running"),
        (State::Unknown, "not known"),
    ]
    .into_iter()
    .map(|(state, words)| (minutes(state), words))
    .filter(|(minutes, _)| *minutes > 0)
    .map(|(minutes, words)| format!("{} h {} min {words}", minutes / 60, minutes % 60))
    .collect();
    format!("{}: {}.", machine.name, parts.join(", "))
}

/// Accesses by account and hour of the day.
pub(super) fn heat(rows: &[HeatRow], faces: &Faces) -> Drawing {
    const TOTAL: f32 = 40.0;
    let mut pen = Pen { faces, marks: Vec::new() };
    let max = rows.iter().flat_map(|row| &row.hours).copied().max().unwrap_or(0);
    let width = (WIDTH - NAMES - TOTAL) / 24.0;
    for hour in 0..24usize {
        let x = NAMES + (points(hour) + 0.5) * width;
        pen.centred(x, 6.5, SMALL, &format!("{hour:02}"));
    }
    pen.right(WIDTH, 6.5, SMALL, "all");
    let label = Style { size: 7.4, face: Face::Regular, ink: Ink::Text };
    let mut y = 9.0;
    let mut words = Vec::new();
    for row in rows {
        pen.name(y + 8.2, label, &row.label, NAMES - 6.0);
        let mut told = Vec::new();
        for (hour, n) in row.hours.iter().enumerate() {
            let step = u8::try_from(heat_step(*n, max)).unwrap_or(4);
            let x = NAMES + points(hour) * width;
            pen.area(x + 0.5, y, width - 1.0, 10.4, Ink::Heat(step));
            if *n > 0 {
                let ink = if step >= 3 { Ink::Paper } else { Ink::Text };
                let size = if *n < 1_000 { 6.0 } else { 5.2 };
                let short =
                    if *n < 10_000 { n.to_string() } else { format!("{}k", n.saturating_add(500) / 1_000) };
                pen.centred(x + width / 2.0, y + 7.4, Style { size, face: Face::Regular, ink }, &short);
                told.push(format!("{hour:02}:00 {}", number(*n)));
            }
        }
        let sum = row.hours.iter().fold(0u64, |sum, n| sum.saturating_add(*n));
        pen.right(WIDTH, y + 8.0, Style { size: 7.2, ..label }, &number(sum));
        words.push(format!("{}: {} in all, {}.", row.label, number(sum), told.join(", ")));
        y += 12.0;
    }
    (format!("Accesses by account and hour of the day. {}", words.join(" ")), y, pen.marks)
}

/// Accesses, questions and coverage of up to nine weeks.
pub(super) fn trend(weeks: &[TrendWeek], faces: &Faces) -> Drawing {
    let mut pen = Pen { faces, marks: Vec::new() };
    let column = (WIDTH - NAMES) / points(weeks.len().max(1));
    let name = Style { size: 7.8, face: Face::Regular, ink: Ink::Text };
    let rows: [(&str, Vec<(u64, String)>); 3] = [
        (
            "Accesses and logins",
            weeks.iter().map(|week| (week.n_accesses, number(week.n_accesses))).collect(),
        ),
        ("Questions about accesses", weeks.iter().map(|week| (week.n_items, number(week.n_items))).collect()),
        (
            "Coverage of machines",
            weeks.iter().map(|week| (week.coverage_percent.unwrap_or(0), week.coverage())).collect(),
        ),
    ];
    let mut y = 0.0;
    for (place, (words, values)) in rows.iter().enumerate() {
        let max = if place == 2 { 100 } else { values.iter().map(|(n, _)| *n).max().unwrap_or(0).max(1) };
        pen.text(0.0, y + 15.0, name, words);
        for (column_number, (n, told)) in values.iter().enumerate() {
            let x = NAMES + points(column_number) * column;
            let is_last = column_number.saturating_add(1) == values.len();
            let height = (9.5 * share(*n, max)).max(0.5);
            let ink = if is_last { Ink::Teal } else { Ink::Heat(2) };
            pen.area(x + 3.0, y + 17.5 - height, (column - 6.0).min(26.0), height, ink);
            let face = if is_last { Face::Strong } else { Face::Regular };
            pen.text(x + 3.0, y + 16.6 - height, Style { size: 6.6, face, ink: Ink::Text }, told);
        }
        y += 19.0;
    }
    for (column_number, week) in weeks.iter().enumerate() {
        let is_last = column_number.saturating_add(1) == weeks.len();
        let words = if is_last { "this week" } else { week.short() };
        pen.text(NAMES + points(column_number) * column + 3.0, y + 6.0, SMALL, words);
    }
    (trend_in_words(weeks), y + 8.0, pen.marks)
}

/// The trend for who does not see it.
pub(super) fn trend_in_words(weeks: &[TrendWeek]) -> String {
    let week = |week: &TrendWeek| {
        format!(
            "{}: {}, {}, coverage {}.",
            week.week,
            count(week.n_accesses, "access or login", "accesses and logins"),
            count(week.n_items, "question", "questions"),
            week.coverage()
        )
    };
    weeks.iter().map(week).collect::<Vec<_>>().join(" ")
}

/// The checkpoint for a camera, `side` points wide; nothing where it does not fit.
pub(super) fn code(report: &WeeklyReport, side: f32) -> Vec<Mark> {
    let text = &report.footer.checkpoint;
    if text.is_empty() {
        return Vec::new();
    }
    let Ok(code) = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M) else {
        return Vec::new();
    };
    let width = code.width().max(1);
    // Four modules of white around it are the page's own white (ISO/IEC 18004): the caller leaves them free.
    let module = side / points(width);
    let mut corners = Vec::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let dark = row.iter().enumerate().filter(|(_, color)| **color == Color::Dark);
        corners.extend(dark.map(|(x, _)| (points(x) * module, points(y) * module)));
    }
    vec![Mark::Squares { side: module, corners, ink: Ink::Text }]
}
