//! How much room each part gets: everything where that fits, less in steps where it does not.

/// What is shown of each part.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    /// Size of the letters, 1 is the design's.
    pub(super) scale: f32,
    /// Items with a card of their own; the rest share a table.
    pub(super) cards: usize,
    /// Items in that table, and sentences of what could not be seen.
    pub(super) lines: usize,
    /// Rows of every other table.
    pub(super) rows: usize,
    /// Machines that are drawn.
    pub(super) machines: usize,
    /// Letters of one text.
    pub(super) letters: usize,
}

impl Room {
    /// Reasons of explained accesses; they stand beside the areas, on one page.
    pub(super) fn reasons(&self) -> usize {
        self.rows.min(20)
    }
}

const fn room(scale: f32, cards: usize, lines: usize, rows: usize, machines: usize, letters: usize) -> Room {
    Room { scale, cards, lines, rows, machines, letters }
}

/// For a week with something to decide, at most four pages.
pub(super) const BUSY: [Room; 8] = [
    room(1.0, 8, 60, 60, 60, 600),
    room(0.95, 8, 40, 24, 40, 600),
    room(0.92, 7, 30, 12, 30, 500),
    room(0.92, 6, 20, 8, 24, 400),
    room(0.9, 4, 16, 5, 20, 300),
    room(0.9, 3, 10, 3, 16, 200),
    room(0.88, 2, 4, 2, 10, 90),
    room(0.8, 1, 2, 1, 5, 50),
];

/// For a quiet one, one page.
pub(super) const QUIET: [Room; 6] = [
    room(1.0, 0, 60, 60, 60, 600),
    room(0.95, 0, 40, 24, 40, 600),
    room(0.9, 0, 30, 12, 30, 500),
    room(0.86, 0, 16, 7, 24, 400),
    room(0.83, 0, 12, 6, 20, 350),
    room(0.8, 0, 10, 4, 16, 300),
];

/// How many pages a week may take.
pub(super) const BUSY_PAGES: usize = 4;
