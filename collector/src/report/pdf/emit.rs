//! The pages as PDF/A-1a: every piece tagged with what it is, fonts embedded, the same bytes for the same report.

use std::num::NonZeroU16;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use krilla::color::rgb;
use krilla::configure::{Archival, ConfigurationBuilder, PdfVersion};
use krilla::geom::{Path, PathBuilder, Point, Rect};
use krilla::metadata::{DateTime, Metadata};
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::{Fill, FillRule, Stroke};
use krilla::surface::Surface;
use krilla::tagging::{Artifact, ArtifactType, ContentTag, SpanTag};
use krilla::{Document, SerializeSettings};

use super::PdfError;
use super::flow::{Ink, LEFT, Mark, PAGE, Role, Strip, Style, TOP, WIDTH};
use super::font::{Face, Faces};
use super::structure::Structure;

/// What the document says of itself.
pub(super) struct About<'a> {
    pub(super) title: String,
    pub(super) made_at: Timestamp,
    pub(super) version: &'a str,
    /// At the foot of every page.
    pub(super) foot: String,
}

/// Writes the pages.
pub(super) fn emit(
    pages: &[Vec<(f32, Strip)>],
    about: &About<'_>,
    faces: &Faces,
) -> Result<Vec<u8>, PdfError> {
    let configuration = ConfigurationBuilder::new()
        .with_archival_validator(Archival::A1_A)
        .with_version(PdfVersion::Pdf14)
        .finish()
        .map_err(|error| PdfError::Form(format!("{error:?}")))?;
    let settings = SerializeSettings { configuration, enable_tagging: true, ..SerializeSettings::default() };
    let mut document = Document::new_with(settings);
    let mut structure = Structure::default();
    for (number, strips) in (1usize..).zip(pages) {
        let size = PageSettings::from_wh(PAGE.0, PAGE.1).ok_or(PdfError::Font)?;
        let mut page = document.start_page_with(size);
        let mut surface = page.surface();
        for (y, strip) in strips {
            for piece in &strip.pieces {
                let tag = match piece.role {
                    Role::Decoration => ContentTag::Artifact(Artifact::with_kind(ArtifactType::Layout)),
                    Role::Figure(_) => ContentTag::Other,
                    _ => ContentTag::Span(SpanTag::empty()),
                };
                let id = surface.start_tagged(tag);
                for mark in &piece.marks {
                    draw(&mut surface, mark, TOP + y, faces);
                }
                surface.end_tagged();
                structure.push(&piece.role, id);
            }
        }
        surface.start_tagged(ContentTag::Artifact(Artifact::with_kind(ArtifactType::Footer)));
        foot(&mut surface, &about.foot, &format!("page {number} of {}", pages.len()), faces);
        surface.end_tagged();
        surface.finish();
        page.finish();
    }
    document.set_tag_tree(structure.tree());
    let producer = format!("Need-to-Know {}", about.version);
    let metadata = Metadata::new()
        .title(about.title.clone())
        .language("en".to_owned())
        .creator(producer.clone())
        .producer(producer)
        .creation_date(date(about.made_at));
    document.set_metadata(metadata);
    document.finish().map_err(|error| PdfError::Form(format!("{error:?}")))
}

fn date(at: Timestamp) -> DateTime {
    let at = at.to_zoned(TimeZone::UTC);
    let small = |n: i8| u8::try_from(n).unwrap_or(0);
    DateTime::new(u16::try_from(at.year()).unwrap_or(1970))
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0)
}

fn foot(surface: &mut Surface<'_>, left: &str, right: &str, faces: &Faces) {
    let style = Style { size: 7.2, face: Face::Regular, ink: Ink::Soft };
    let y = PAGE.1 - 26.0;
    let text = |x: f32, text: &str| Mark::Text { x, y, style, text: faces.showable(text) };
    let width = faces.of(style.face).width(right, style.size);
    let rule = Mark::Line { from: (0.0, y - 11.0), to: (WIDTH, y - 11.0), ink: Ink::Line, pen: 0.5 };
    for mark in [rule, text(0.0, left), text(WIDTH - width, right)] {
        draw(surface, &mark, 0.0, faces);
    }
}

/// Colours of the pages; dark ones are dark in grey too.
fn color(ink: Ink) -> rgb::Color {
    let (red, green, blue) = match ink {
        Ink::Text => (0x1c, 0x24, 0x30),
        Ink::Soft => (0x4a, 0x55, 0x63),
        Ink::Line => (0xcf, 0xd5, 0xdb),
        Ink::Wash => (0xe3, 0xe7, 0xea),
        Ink::Teal | Ink::Heat(4..) => (0x0f, 0x64, 0x68),
        Ink::Amber => (0x7d, 0x52, 0x00),
        Ink::Red => (0x9c, 0x23, 0x1b),
        Ink::Paper => (0xff, 0xff, 0xff),
        Ink::Heat(0) => (0xf2, 0xf4, 0xf4),
        Ink::Heat(1) => (0xd3, 0xe4, 0xe3),
        Ink::Heat(2) => (0xa3, 0xc9, 0xc8),
        Ink::Heat(3) => (0x4f, 0x93, 0x94),
    };
    rgb::Color::new(red, green, blue)
}

fn fill(ink: Ink) -> Fill {
    Fill { paint: color(ink).into(), opacity: NormalizedF32::ONE, rule: FillRule::NonZero }
}

fn draw(surface: &mut Surface<'_>, mark: &Mark, top: f32, faces: &Faces) {
    match mark {
        Mark::Text { x, y, style, text } => {
            let cut = faces.of(style.face);
            let glyphs = cut.glyphs(text);
            if glyphs.is_empty() {
                return;
            }
            surface.set_stroke(None);
            surface.set_fill(Some(fill(style.ink)));
            let start = Point::from_xy(LEFT + x, top + y);
            surface.draw_glyphs(start, &glyphs, cut.font.clone(), text, style.size, false);
        }
        Mark::Area { x, y, width, height, ink } => {
            shape(surface, rectangle(LEFT + x, top + y, *width, *height), Some(*ink), None);
        }
        Mark::Frame { x, y, width, height, ink, pen } => {
            shape(surface, rectangle(LEFT + x, top + y, *width, *height), None, Some((*ink, *pen)));
        }
        Mark::Line { from, to, ink, pen } => {
            let mut path = PathBuilder::new();
            path.move_to(LEFT + from.0, top + from.1);
            path.line_to(LEFT + to.0, top + to.1);
            shape(surface, path.finish(), None, Some((*ink, *pen)));
        }
        Mark::Squares { side, corners, ink } => {
            let mut path = PathBuilder::new();
            for (x, y) in corners {
                if let Some(square) = Rect::from_xywh(LEFT + x, top + y, *side, *side) {
                    path.push_rect(square);
                }
            }
            shape(surface, path.finish(), Some(*ink), None);
        }
    }
}

fn rectangle(x: f32, y: f32, width: f32, height: f32) -> Option<Path> {
    let mut path = PathBuilder::new();
    path.push_rect(Rect::from_xywh(x, y, width, height)?);
    path.finish()
}

fn shape(surface: &mut Surface<'_>, path: Option<Path>, inside: Option<Ink>, outline: Option<(Ink, f32)>) {
    let Some(path) = path else { return };
    surface.set_fill(inside.map(fill));
    surface.set_stroke(outline.map(|(ink, pen)| Stroke {
        paint: color(ink).into(),
        width: pen,
        ..Stroke::default()
    }));
    surface.draw_path(&path);
}

/// The level of a heading.
pub(super) fn level(level: u16) -> NonZeroU16 {
    NonZeroU16::new(level).unwrap_or(NonZeroU16::MIN)
}
