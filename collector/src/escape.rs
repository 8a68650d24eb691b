//! How a text comes onto a page. `askama.toml` names [`Visible`] for every template of HTML, so that no template and no
//! page can forget it: markup is text, and letters that hide, or turn round what stands beside them, are written out.
//!
//! Line breaks stay: HTML shows them as a space, and a form that comes back has them where they were typed.

use std::fmt;

use askama::filters::{Escaper, Html};

use crate::report::shown::is_hiding;

/// Markup as text, and what hides written out, such as `\u{202E}`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Visible;

impl Escaper for Visible {
    fn write_escaped_str<W: fmt::Write>(&self, mut dest: W, text: &str) -> fmt::Result {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
        if text.bytes().all(is_plain) {
            return Html.write_escaped_str(dest, text);
        }
        for letter in text.chars() {
            match letter {
                '\n' | '\r' | '\t' => dest.write_char(letter)?,
                _ if is_hiding(letter) => write!(dest, "{}", letter.escape_unicode())?,
                _ => Html.write_escaped_char(&mut dest, letter)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use askama::Template;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        Visible.write_escaped_str(&mut out, text).unwrap();
        out
    }

    #[test]
    fn markup_is_text_what_hides_is_written_out_and_lines_stay() {
        for (text, expected) in [
            ("<b>&\"'", "&#60;b&#62;&#38;&#34;&#39;"),
            ("gpj.\u{202e}txe<\u{200b}", "gpj.\\u{202e}txe&#60;\\u{200b}"),
            ("a\u{0}\u{7f}\u{1b}[2J", "a\\u{0}\\u{7f}\\u{1b}[2J"),
            ("Müller\r\nŁódź\t李\n", "Müller\r\nŁódź\t李\n"),
        ] {
            assert_eq!(escaped(text), expected);
        }
    }

    /// The twin of forgetting: nothing in this template asks for anything.
    #[test]
    fn a_template_that_says_nothing_of_it_is_escaped_so() {
        #[derive(Template)]
        #[template(source = "<p title=\"{{ text }}\">{{ text }}</p>", ext = "html")]
        struct Page<'a> {
            text: &'a str,
        }
        let page = Page { text: "<i>\u{202e}" }.render().unwrap();
        assert_eq!(page, "<p title=\"&#60;i&#62;\\u{202e}\">&#60;i&#62;\\u{202e}</p>");
    }
}
