//! What stands on the pages, in order: pieces of text and drawings with their place in a strip, strips in units, units one
//! below the other, and where one page ends and the next begins.

use super::font::{Face, Faces};

/// US letter, in points, and the room of its text.
pub(super) const PAGE: (f32, f32) = (612.0, 792.0);
pub(super) const LEFT: f32 = 44.0;
pub(super) const TOP: f32 = 30.0;
pub(super) const WIDTH: f32 = 524.0;
const HEIGHT: f32 = 724.0;

/// What something is painted with; grey printers keep them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Soft,
    Line,
    Wash,
    Teal,
    Amber,
    Red,
    Paper,
    /// Step 0 to 4 of the heat map.
    Heat(u8),
}

/// How a text is set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) size: f32,
    pub(super) face: Face,
    pub(super) ink: Ink,
}

impl Style {
    pub(super) fn leading(self) -> f32 {
        self.size * 1.36
    }
}

/// Something drawn, in points from the upper left corner of its strip; text stands on its `y`.
#[derive(Clone, Debug)]
pub(super) enum Mark {
    Text {
        x: f32,
        y: f32,
        style: Style,
        text: String,
    },
    Area {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
    },
    Frame {
        x: f32,
        y: f32,
        width: f32,
        height: f32,
        ink: Ink,
        pen: f32,
    },
    Line {
        from: (f32, f32),
        to: (f32, f32),
        ink: Ink,
        pen: f32,
    },
    /// Squares of one size as one shape.
    Squares {
        side: f32,
        corners: Vec<(f32, f32)>,
        ink: Ink,
    },
}

impl Mark {
    /// The same so many points lower.
    fn down(&mut self, points: f32) {
        match self {
            Self::Text { y, .. } | Self::Area { y, .. } | Self::Frame { y, .. } => *y += points,
            Self::Line { from, to, .. } => {
                from.1 += points;
                to.1 += points;
            }
            Self::Squares { corners, .. } => corners.iter_mut().for_each(|corner| corner.1 += points),
        }
    }
}

/// What a piece is to a reader who does not see the page.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Role {
    /// Heading of a level, 1 for the title.
    Heading(u16, String),
    /// Part of the paragraph of this number.
    Paragraph(u32),
    /// Part of an item of a list.
    Item { list: u32, item: u32 },
    /// A cell of a table.
    Cell { table: u32, row: u32, column: u32, is_head: bool },
    /// A drawing, in words.
    Figure(String),
    /// Nothing.
    Decoration,
}

/// What belongs to one part of the structure.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    pub(super) role: Role,
    pub(super) marks: Vec<Mark>,
}

/// What no page break goes through.
#[derive(Clone, Debug)]
pub(super) struct Strip {
    pub(super) height: f32,
    pub(super) pieces: Vec<Piece>,
}

/// Strips that belong together.
#[derive(Clone, Debug)]
struct Unit {
    strips: Vec<Strip>,
    gap: f32,
    is_whole: bool,
    is_with_next: bool,
}

/// A cell of a row.
pub(super) struct Cell {
    pub(super) x: f32,
    pub(super) width: f32,
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) is_head: bool,
    pub(super) is_right: bool,
}

/// Collects what stands on the pages.
pub(super) struct Flow<'f> {
    pub(super) faces: &'f Faces,
    units: Vec<Unit>,
    numbers: u32,
}

impl<'f> Flow<'f> {
    pub(super) fn new(faces: &'f Faces) -> Self {
        Self { faces, units: Vec::new(), numbers: 0 }
    }

    /// A number of its own for a paragraph, list or table.
    pub(super) fn number(&mut self) -> u32 {
        self.numbers = self.numbers.saturating_add(1);
        self.numbers
    }

    /// A heading; it stays with what follows.
    pub(super) fn heading(&mut self, level: u16, text: &str, style: Style, gap: f32) {
        let text = self.faces.showable(text);
        let role = Role::Heading(level, text.clone());
        let strips = self.text_strips(&text, style, 0.0, WIDTH, &role);
        self.push(strips, gap, true, true);
    }

    /// A paragraph.
    pub(super) fn paragraph(&mut self, text: &str, style: Style, gap: f32) {
        let number = self.number();
        let strips =
            self.text_strips(&self.faces.showable(text), style, 0.0, WIDTH, &Role::Paragraph(number));
        self.push(strips, gap, false, false);
    }

    /// Sentences as a list with dashes.
    pub(super) fn list(&mut self, sentences: &[String], style: Style, gap: f32) {
        let list = self.number();
        for (item, sentence) in (0u32..).zip(sentences) {
            let role = Role::Item { list, item };
            let mut strips = self.text_strips(&self.faces.showable(sentence), style, 10.0, WIDTH, &role);
            if let Some(first) = strips.first_mut() {
                let y = style.size * 0.72;
                let dash = Mark::Line { from: (1.0, y), to: (6.0, y), ink: Ink::Amber, pen: 1.0 };
                first.pieces.insert(0, Piece { role: Role::Decoration, marks: vec![dash] });
            }
            self.push(strips, if item == 0 { gap } else { 0.8 }, true, false);
        }
    }

    /// A row of a table.
    pub(super) fn row(&mut self, table: u32, row: u32, cells: &[Cell], gap: f32) {
        let strip = self.row_strip(table, row, cells, true);
        self.push(vec![strip], gap, true, row == 0 && cells.iter().all(|cell| cell.is_head));
    }

    pub(super) fn row_strip(&self, table: u32, row: u32, cells: &[Cell], is_ruled: bool) -> Strip {
        let mut pieces = Vec::new();
        let mut height = 0f32;
        for (column, cell) in (0u32..).zip(cells) {
            let face = self.faces.of(cell.style.face);
            let text = self.faces.showable(&cell.text);
            let lines = face.lines(&text, cell.style.size, cell.width);
            let mut marks = Vec::new();
            let mut y = 1.6;
            for line in lines {
                let free = cell.width - face.width(line.trim_end(), cell.style.size);
                let x = if cell.is_right { cell.x + free } else { cell.x };
                marks.push(Mark::Text { x, y: y + cell.style.size, style: cell.style, text: line });
                y += cell.style.leading();
            }
            height = height.max(y + 1.4);
            let role = Role::Cell { table, row, column, is_head: cell.is_head };
            pieces.push(Piece { role, marks });
        }
        if is_ruled {
            let left = cells.first().map_or(0.0, |cell| cell.x);
            let right = cells.last().map_or(WIDTH, |cell| cell.x + cell.width);
            let rule = Mark::Line { from: (left, height), to: (right, height), ink: Ink::Line, pen: 0.5 };
            pieces.push(Piece { role: Role::Decoration, marks: vec![rule] });
        }
        Strip { height, pieces }
    }

    /// A drawing.
    pub(super) fn figure(&mut self, words: String, height: f32, marks: Vec<Mark>, gap: f32) {
        if marks.is_empty() {
            return;
        }
        let words = super::super::shown::cut(&self.faces.showable(&words), 8_000);
        let piece = Piece { role: Role::Figure(words), marks };
        self.push(vec![Strip { height, pieces: vec![piece] }], gap, true, false);
    }

    /// Two columns of strips as one strip: the left one is read first.
    pub(super) fn beside(&mut self, left: Vec<Strip>, right: Vec<Strip>, gap: f32) {
        let (left, right) = (stacked(left), stacked(right));
        let height = left.height.max(right.height);
        let pieces = left.pieces.into_iter().chain(right.pieces).collect();
        self.push(vec![Strip { height, pieces }], gap, true, false);
    }

    /// Strips that stand together where they fit on a page.
    pub(super) fn push(&mut self, strips: Vec<Strip>, gap: f32, is_whole: bool, is_with_next: bool) {
        self.units.push(Unit { strips, gap, is_whole, is_with_next });
    }

    /// The lines of a text, each a strip.
    pub(super) fn text_strips(
        &self,
        text: &str,
        style: Style,
        left: f32,
        right: f32,
        role: &Role,
    ) -> Vec<Strip> {
        let lines = self.faces.of(style.face).lines(text, style.size, right - left);
        let strip = |text: String| {
            let mark = Mark::Text { x: left, y: style.size * 1.06, style, text };
            Strip { height: style.leading(), pieces: vec![Piece { role: role.clone(), marks: vec![mark] }] }
        };
        lines.into_iter().map(strip).collect()
    }

    /// The pages: each strip with its distance from the top.
    pub(super) fn pages(self) -> Vec<Vec<(f32, Strip)>> {
        let mut pages: Vec<Vec<(f32, Strip)>> = Vec::new();
        let mut page: Vec<(f32, Strip)> = Vec::new();
        let mut y = 0f32;
        let needs: Vec<f32> = self.units.iter().map(room).collect();
        for (place, unit) in self.units.into_iter().enumerate() {
            // A heading goes with what follows it, and that may be a heading too.
            let need = needs.get(place).copied().unwrap_or(0.0)
                + if unit.is_with_next {
                    needs.get(place.saturating_add(1)).copied().unwrap_or(0.0)
                } else {
                    0.0
                };
            if !page.is_empty() && y + unit.gap + need > HEIGHT {
                pages.push(std::mem::take(&mut page));
                y = 0.0;
            }
            if !page.is_empty() {
                y += unit.gap;
            }
            for strip in unit.strips {
                if !page.is_empty() && y + strip.height > HEIGHT {
                    pages.push(std::mem::take(&mut page));
                    y = 0.0;
                }
                let height = strip.height;
                page.push((y, strip));
                y += height;
            }
        }
        pages.push(page);
        pages
    }
}

/// Strips below each other as one.
pub(super) fn stacked(strips: Vec<Strip>) -> Strip {
    let mut one = Strip { height: 0.0, pieces: Vec::new() };
    for strip in strips {
        for mut piece in strip.pieces {
            piece.marks.iter_mut().for_each(|mark| mark.down(one.height));
            one.pieces.push(piece);
        }
        one.height += strip.height;
    }
    one
}

/// How much of a unit has to fit on the page on which it begins.
fn room(unit: &Unit) -> f32 {
    let all: f32 = unit.strips.iter().map(|strip| strip.height).sum();
    if unit.is_whole && all < HEIGHT * 0.6 {
        return all;
    }
    unit.strips.iter().take(2).map(|strip| strip.height).sum()
}
