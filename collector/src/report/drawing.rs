//! The two drawings of the report as inline SVG, drawn here so that the page needs nothing from outside.
//!
//! Each comes in a wide and a narrow form; the page shows one of them. Colours are classes of the page's
//! style sheet. What a drawing shows stands as text beside it; silence is hatched as well as coloured, so that
//! it survives a black-and-white printer.

use std::fmt::Write;

use jiff::Timestamp;

use super::HeatRow;
use super::coverage::{MachineCoverage, State};
use super::shown::is_hiding;
use super::text::{count, number};

/// Form of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Wide,
    Narrow,
}

impl Form {
    fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Narrow => "narrow",
        }
    }
}

/// Accesses per account and hour of the day.
pub(super) fn heat_map(rows: &[HeatRow], form: Form) -> String {
    let max = rows.iter().flat_map(|row| &row.hours).copied().max().unwrap_or(0);
    let (columns, cell, left) = match form {
        Form::Wide => (24usize, 22usize, 212usize),
        Form::Narrow => (12, 25, 40),
    };
    let mut body = String::new();
    let mut y = 0;
    if form == Form::Wide {
        for hour in (0..24).step_by(3) {
            text(&mut body, left + hour * cell, 12, "s", &format!("{hour:02}"));
        }
        y = 18;
    }
    for row in rows {
        match form {
            Form::Wide => text(&mut body, 0, y + 15, "l", &shortened(&row.label, 31)),
            Form::Narrow => {
                text(&mut body, 0, y + 13, "l", &shortened(&row.label, 46));
                y += 19;
            }
        }
        for (line, hours) in row.hours.chunks(columns).enumerate() {
            if form == Form::Narrow {
                text(&mut body, 0, y + 15, "s", if line == 0 { "00–11" } else { "12–23" });
            }
            for (column, n) in hours.iter().enumerate() {
                heat_cell(&mut body, left + column * cell, y, cell - 2, *n, max);
            }
            y += 23;
        }
        y += if form == Form::Narrow { 8 } else { 0 };
    }
    let n: u64 = rows.iter().flat_map(|row| &row.hours).sum();
    let label = format!(
        "Accesses by account and hour of the day: {} in all. The numbers stand in the table that follows.",
        number(n)
    );
    svg(form, left + columns * cell, y + 2, &label, &body)
}

fn heat_cell(body: &mut String, x: usize, y: usize, width: usize, n: u64, max: u64) {
    let step = heat_step(n, max);
    let _ = write!(body, r#"<rect class="h{step}" x="{x}" y="{y}" width="{width}" height="20" rx="3"/>"#);
    if n > 0 {
        let class = if step >= 3 { "n n-on" } else { "n" };
        let short = if n < 1000 { n.to_string() } else { format!("{}k", n.saturating_add(500) / 1000) };
        text(body, x + width / 2, y + 14, class, &short);
    }
}

/// Four steps on a scale of orders, so that one flood does not bleach all the rest.
pub(super) fn heat_step(n: u64, max: u64) -> u32 {
    let order = |n: u64| u64::BITS - n.leading_zeros();
    match (n, order(max)) {
        (0, _) => 0,
        (_, orders) if orders <= 4 => order(n).min(4),
        (n, orders) => (order(n) * 4).div_ceil(orders).clamp(1, 4),
    }
}

/// When each machine reported; `day_starts` has one moment more than there are days.
pub(super) fn coverage_bars(machines: &[MachineCoverage], day_starts: &[Timestamp], form: Form) -> String {
    let (left, length) = match form {
        Form::Wide => (150usize, 590usize),
        Form::Narrow => (0, 340),
    };
    let (Some(from), Some(to)) = (day_starts.first(), day_starts.last()) else { return String::new() };
    let week = to.duration_since(*from).as_secs().max(1);
    let x_of = |at: Timestamp| -> usize {
        let offset = at.duration_since(*from).as_secs().clamp(0, week);
        let length = i64::try_from(length).unwrap_or(0);
        left + usize::try_from(offset.saturating_mul(length) / week).unwrap_or(0)
    };
    let mut body = format!(
        concat!(
            r#"<defs><pattern id="hatch-{0}" width="6" height="6" patternUnits="userSpaceOnUse" "#,
            r#"patternTransform="rotate(45)"><rect class="c-silent" width="6" height="6"/>"#,
            r#"<rect class="c-line" width="2.5" height="6"/></pattern>"#,
            r#"<pattern id="dots-{0}" width="6" height="6" patternUnits="userSpaceOnUse">"#,
            r#"<rect class="c-off" width="6" height="6"/><circle class="c-dot" cx="3" cy="3" r="1.2"/></pattern></defs>"#
        ),
        form.class()
    );
    for (start, name) in day_starts.iter().zip(["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]) {
        text(&mut body, x_of(*start) + 2, 11, "s", name);
    }
    let mut y = 18;
    for machine in machines {
        match form {
            Form::Wide => text(&mut body, 0, y + 12, "l", &shortened(&machine.name, 21)),
            Form::Narrow => {
                text(&mut body, 0, y + 12, "l", &shortened(&machine.name, 46));
                y += 17;
            }
        }
        let _ =
            write!(body, r#"<rect class="c-none" x="{left}" y="{y}" width="{length}" height="16" rx="2"/>"#);
        for interval in &machine.intervals {
            let fill = match interval.state {
                State::Reporting => r#"class="c-on""#.to_owned(),
                State::Off => r#"class="c-off""#.to_owned(),
                State::Silent => format!(r#"fill="url(#hatch-{})""#, form.class()),
                State::Unknown => format!(r#"fill="url(#dots-{})""#, form.class()),
                State::NotEnrolled => continue,
            };
            let (x, end) = (x_of(interval.from), x_of(interval.to));
            // Even a minute of silence is to be seen.
            let width = end.saturating_sub(x).max(if interval.state == State::Silent { 3 } else { 1 });
            let _ = write!(body, r#"<rect {fill} x="{x}" y="{y}" width="{width}" height="16"/>"#);
        }
        y += 25;
    }
    for start in day_starts {
        let x = x_of(*start);
        let _ = write!(body, r#"<line class="c-day" x1="{x}" x2="{x}" y1="0" y2="{}"/>"#, y - 6);
    }
    let n_silent = machines.iter().filter(|machine| machine.hours.contains(&State::Silent)).count();
    let label = format!(
        "When {} reported: {} silent while running at some time. The hours stand in the table that follows.",
        count(machines.len(), "machine", "machines"),
        count(n_silent, "was", "were")
    );
    svg(form, left + length, y, &label, &body)
}

fn svg(form: Form, width: usize, height: usize, label: &str, body: &str) -> String {
    format!(
        r#"<svg class="{}" role="img" aria-label="{}" viewBox="0 0 {width} {height}" style="max-width:{width}px">{body}</svg>"#,
        form.class(),
        escaped(label)
    )
}

fn text(body: &mut String, x: usize, y: usize, class: &str, words: &str) {
    let _ = write!(body, r#"<text class="{class}" x="{x}" y="{y}">{}</text>"#, escaped(words));
}

pub(super) fn shortened(label: &str, letters_max: usize) -> String {
    if label.chars().count() <= letters_max {
        return label.to_owned();
    }
    label.chars().take(letters_max.saturating_sub(1)).chain(['…']).collect()
}

/// The five characters that mean something in HTML as text, and what hides written out.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other if is_hiding(other) => safe.extend(other.escape_unicode()),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strangers_text_stays_text() {
        let rows = [HeatRow { label: "<script>\"x\"&'\u{202e}".to_owned(), hours: vec![1; 24] }];
        for form in [Form::Wide, Form::Narrow] {
            let drawn = heat_map(&rows, form);
            assert!(drawn.contains("&lt;script&gt;&quot;x&quot;&amp;&#39;\\u{202e}"), "{drawn}");
            assert!(!drawn.contains("<script"), "{drawn}");
        }
    }

    #[test]
    fn a_flood_does_not_bleach_the_rest() {
        assert_eq!([0, 1, 10, 100, 4012].map(|n| heat_step(n, 4012)), [0, 1, 2, 3, 4]);
        assert_eq!([0, 1, 2, 3].map(|n| heat_step(n, 3)), [0, 1, 2, 2]);
        assert_eq!(heat_step(u64::MAX, u64::MAX), 4);
    }
}
