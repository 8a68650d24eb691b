//! The checkpoint as a QR code: what a witness with a camera keeps, beside the twelve words for people.
//!
//! It holds the three lines of the checkpoint's text (origin, size, root), nothing that names a person.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

use super::drawing::escaped;

/// Modules of white around the code, as its readers expect (ISO/IEC 18004).
const QUIET: usize = 4;

/// The checkpoint's code as inline SVG; nothing where the text is empty or does not fit.
pub(super) fn drawing(text: &str) -> String {
    let said = format!("QR code of the checkpoint: {}", text.trim_end().replace('\n', ", "));
    code(text, &said)
}

/// A text as a code in inline SVG, with what it is in words; nothing where the text is empty or does not fit.
pub(crate) fn code(text: &str, said: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let Ok(code) = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M) else {
        return String::new();
    };
    let (width, colors) = (code.width(), code.to_colors());
    let mut dark = String::new();
    for (y, row) in colors.chunks(width.max(1)).enumerate() {
        for (x, _) in row.iter().enumerate().filter(|(_, color)| **color == Color::Dark) {
            let _ = write!(dark, "M{} {}h1v1h-1z", x.saturating_add(QUIET), y.saturating_add(QUIET));
        }
    }
    let side = width.saturating_add(QUIET.saturating_mul(2));
    // Black on white whatever the page's colours are: readers need it so.
    format!(
        "<svg class=\"qr\" viewBox=\"0 0 {side} {side}\" role=\"img\" shape-rendering=\"crispEdges\">\
         <title>{}</title><rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/><path d=\"{dark}\" fill=\"#000\"/></svg>",
        escaped(said)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checkpoint_fits_and_another_one_is_another_drawing() {
        let text = |size: u64| {
            format!(
                "maple-street-family-practice.a1b2c3d4/log\n{size}\nqINS1GRFDPJlKZtfWXhWK7i5hqMr0ZXzVXRVDp8CuVY=\n"
            )
        };
        let one = drawing(&text(12_345));
        assert!(one.contains("viewBox=\"0 0 ") && one.contains("12345") && !one.contains('\n'), "{one}");
        assert_ne!(one, drawing(&text(12_346)));
        assert_eq!(drawing(""), "");
        assert_eq!(drawing(&"x".repeat(10_000)), "", "what does not fit is left out");
    }
}
