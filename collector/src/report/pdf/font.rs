//! The two embedded faces of Inter: how wide a text is, where it breaks, which glyphs it has.

use std::collections::HashMap;

use krilla::Data;
use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};

use super::PdfError;

const REGULAR: &[u8] = include_bytes!("../../../fonts/Inter-Regular.otf");
const STRONG: &[u8] = include_bytes!("../../../fonts/Inter-SemiBold.otf");

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    Regular,
    Strong,
}

/// One face.
pub(super) struct Cut {
    pub(super) font: Font,
    /// Glyph and advance of each letter, in parts of the letter size.
    letters: HashMap<char, (u32, f32)>,
}

/// Both faces.
pub(super) struct Faces {
    regular: Cut,
    strong: Cut,
}

impl Faces {
    pub(super) fn load() -> Result<Self, PdfError> {
        Ok(Self { regular: Cut::load(REGULAR)?, strong: Cut::load(STRONG)? })
    }

    pub(super) fn of(&self, face: Face) -> &Cut {
        match face {
            Face::Regular => &self.regular,
            Face::Strong => &self.strong,
        }
    }

    /// The text as this font can show it: a letter that it does not have is written out, `\u{1f480}`.
    pub(super) fn showable(&self, text: &str) -> String {
        let mut showable = String::with_capacity(text.len());
        for letter in super::super::shown::visible(text).chars() {
            if self.regular.has(letter) && self.strong.has(letter) {
                showable.push(letter);
            } else {
                showable.push_str(&letter.escape_unicode().to_string());
            }
        }
        showable
    }
}

impl Cut {
    fn load(bytes: &'static [u8]) -> Result<Self, PdfError> {
        let font = Font::new(Data::from(bytes.to_vec()), 0).ok_or(PdfError::Font)?;
        let face = FontRef::new(bytes).map_err(|_| PdfError::Font)?;
        let widths = face.glyph_metrics(Size::unscaled(), LocationRef::default());
        let units = font.units_per_em().max(1.0);
        let letter = |(code, glyph): (u32, skrifa::GlyphId)| {
            let advance = widths.advance_width(glyph).unwrap_or_default() / units;
            Some((char::from_u32(code)?, (glyph.to_u32(), advance)))
        };
        let letters = face.charmap().mappings().filter_map(letter).collect();
        Ok(Self { font, letters })
    }

    fn has(&self, letter: char) -> bool {
        // A mark that stands over the letter before it would need placing that this font's subset does not have.
        let is_mark = matches!(u32::from(letter), 0x0300..=0x036F);
        !is_mark && self.letters.get(&letter).is_some_and(|(glyph, _)| *glyph != 0)
    }

    fn letter(&self, letter: char) -> (u32, f32) {
        self.letters.get(&letter).copied().unwrap_or_default()
    }

    /// Width in points.
    pub(super) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.letter(letter).1 * size).sum()
    }

    /// The glyphs of a text, with what each stands for.
    pub(super) fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let glyph = |(at, letter): (usize, char)| {
            let (id, advance) = self.letter(letter);
            let range = at..at.saturating_add(letter.len_utf8());
            KrillaGlyph::new(GlyphId::new(id), advance, 0.0, 0.0, 0.0, range, None)
        };
        text.char_indices().map(glyph).collect()
    }

    /// The lines of a text, none wider than `width` points: broken at spaces, and inside of what has none. Every line but
    /// the last ends with the space or the nothing that it was broken at, so that the lines joined are the text.
    pub(super) fn lines(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let (mut line, mut length) = (String::new(), 0f32);
        for word in text.split_inclusive(' ') {
            let of_word = self.width(word, size);
            let visible = self.width(word.trim_end(), size);
            if length + visible > width && !line.is_empty() && visible <= width {
                lines.push(std::mem::take(&mut line));
                length = 0.0;
            }
            if visible <= width {
                line.push_str(word);
                length += of_word;
                continue;
            }
            for letter in word.chars() {
                let of_letter = self.letter(letter).1 * size;
                if length + of_letter > width && !line.is_empty() {
                    lines.push(std::mem::take(&mut line));
                    length = 0.0;
                }
                line.push(letter);
                length += of_letter;
            }
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_joined_are_the_text_and_none_is_too_wide() {
        let faces = Faces::load().unwrap();
        let face = faces.of(Face::Regular);
        for text in ["", " ", "one two three four five", &"x".repeat(500), "a  b", &"word ".repeat(50)] {
            let lines = face.lines(text, 9.0, 60.0);
            assert_eq!(lines.concat(), text);
            for line in &lines {
                assert!(face.width(line.trim_end(), 9.0) <= 60.0, "{line}");
            }
        }
    }

    #[test]
    fn a_letter_without_a_glyph_is_written_out() {
        let faces = Faces::load().unwrap();
        assert_eq!(faces.showable("Łódź ✓ 💀 李\u{202e}"), "Łódź ✓ \\u{1f480} \\u{674e}\\u{202e}");
        assert_eq!(faces.showable("e\u{301}"), "e\\u{301}");
    }
}
