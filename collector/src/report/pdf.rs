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
use super::shown::shown;
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

/// The report as PDF.
pub fn render_pdf(report: &WeeklyReport) -> Result<Vec<u8>, PdfError> {
    let faces = Faces::load()?;
    let report = shown(report);
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
        foot: super::shown::cut(
            &format!("{} · {} · week {}", report.practice, report.title, report.week),
            110,
        ),
    };
    emit(&pages, &about, &faces)
}
