//! The report on paper: PDF/A-1a, one page for a quiet week, at most four for a busy one, the same bytes for the same
//! report.
//!
//! What does not fit is counted and where it stands is said; nothing is dropped in silence. It reads in black and white.

mod emit;
mod figures;
mod fit;
mod flow;
mod font;
mod pages;
mod structure;

use super::WeeklyReport;
use super::shown::{cut, shown, written};
use emit::{About, emit};
use fit::{BUSY, BUSY_PAGES, QUIET, Room};
use font::Faces;

/// Why there is no PDF.
#[derive(Debug, thiserror::Error)]
pub enum PdfError {
    /// The font within this program cannot be read.
    #[error("the font of the PDF cannot be read: the program file is damaged; install it again")]
    Font,
    /// What was drawn is not in the form that archives ask for.
    #[error("the PDF could not be written in the form for archives: {0}")]
    Form(String),
}

/// So many letters of a name that stands in a narrow column.
const LABEL_LETTERS_MAX: usize = 60;

/// With names no longer than their columns bear.
fn labelled(mut report: WeeklyReport) -> WeeklyReport {
    let machines = report.machines.iter_mut().map(|machine| &mut machine.name);
    let accounts = report.heat.iter_mut().map(|row| &mut row.label);
    let facts = report.items.iter_mut().flat_map(|item| &mut item.facts).map(|(name, _)| name);
    for label in machines.chain(accounts).chain(facts).chain([&mut report.practice]) {
        *label = cut(label, LABEL_LETTERS_MAX);
    }
    report
}

/// The report as PDF.
pub fn render_pdf(report: &WeeklyReport) -> Result<Vec<u8>, PdfError> {
    let faces = Faces::load()?;
    // Letters that the font lacks are written out before anything is cut: they take more room than they seem to.
    let report = labelled(written(&shown(report), &|text| faces.showable(text)));
    let laid = |room: &Room| pages::flow(&report, room, &faces).pages();
    let one = || QUIET.iter().map(laid).find(|pages| pages.len() == 1);
    let four = || {
        let mut tried = BUSY.iter().map(laid);
        let last = BUSY.last().map(laid);
        tried.find(|pages| pages.len() <= BUSY_PAGES).or(last).unwrap_or_default()
    };
    let pages = if report.verdict.is_quiet { one().unwrap_or_else(four) } else { four() };
    let about = About {
        title: format!("{} · {} · {}", report.title, report.practice, report.week),
        made_at: report.made_at,
        version: &report.footer.version,
        foot: cut(&format!("{} · {} · week {}", report.practice, report.title, report.week), 110),
    };
    emit(&pages, &about, &faces)
}
