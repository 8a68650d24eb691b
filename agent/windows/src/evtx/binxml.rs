//! Binary XML (MS-EVEN6 2.2.12) to the text that Windows makes of it, in one pass and without a tree.
//!
//! A record is mostly one instance of a template and its values. The template is written out each time from where it
//! stands in the chunk, and each substitution is replaced by its value. An element is left out where the value that it
//! depends on is null, and repeated for each item where a value is an array; several arrays go in step.
//!
//! # Bounds
//! Offsets are whatever the file says, so templates may hold themselves and lists may be of any length. Nothing is
//! followed but downward, at most [`DEPTH_MAX`] deep, and every token, byte of a value and written byte of a chunk is paid from
//! one account of [`WORK_MAX`]. Who runs out of it gets no more records of that chunk, which is told as damage.

use std::ops::Range;

use super::value::{self, BIN_XML, Value};
use crate::record::{FIELDS_MAX, xml::XML_BYTES_MAX};

/// Tokens, bytes of values and bytes of text that the records of one chunk may come to. A chunk of 64 KiB in real logs comes to
/// less than a million.
pub(super) const WORK_MAX: usize = 16 * 1024 * 1024;

/// How deep elements and streams may lie in each other; those of Windows come to about ten.
const DEPTH_MAX: usize = 48;

/// Characters of one name.
const NAME_CHARS_MAX: usize = 1024;

/// Tokens, as the specification calls them; those with [`MORE`] have attributes, or more of the same after them.
const END_OF_FRAGMENT: u8 = 0x00;
const OPEN_START_ELEMENT: u8 = 0x01;
const CLOSE_START_ELEMENT: u8 = 0x02;
const CLOSE_EMPTY_ELEMENT: u8 = 0x03;
const END_ELEMENT: u8 = 0x04;
const VALUE_TEXT: u8 = 0x05;
const ATTRIBUTE: u8 = 0x06;
const CDATA: u8 = 0x07;
const CHARACTER_REFERENCE: u8 = 0x08;
const ENTITY_REFERENCE: u8 = 0x09;
const PI_TARGET: u8 = 0x0a;
const PI_DATA: u8 = 0x0b;
const TEMPLATE_INSTANCE: u8 = 0x0c;
const NORMAL_SUBSTITUTION: u8 = 0x0d;
const OPTIONAL_SUBSTITUTION: u8 = 0x0e;
const FRAGMENT_HEADER: u8 = 0x0f;
const MORE: u8 = 0x40;

/// The text of the binary XML in this range of a chunk, if it is that. What it costs is taken from `work`.
pub(super) fn xml(chunk: &[u8], range: Range<usize>, work: &mut usize) -> Option<String> {
    let mut text = Text { chunk, out: String::new(), work };
    text.stream(Cursor { bytes: chunk.get(..range.end)?, at: range.start }, None, 0)?;
    Some(text.out)
}

/// A place in a chunk, and how far it may be read from there.
#[derive(Clone, Copy)]
struct Cursor<'c> {
    bytes: &'c [u8],
    at: usize,
}

impl<'c> Cursor<'c> {
    fn take(&mut self, n_bytes: usize) -> Option<&'c [u8]> {
        let end = self.at.checked_add(n_bytes)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.first_chunk().copied()
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(u8::from_le_bytes)
    }

    fn short(&mut self) -> Option<usize> {
        self.array().map(u16::from_le_bytes).map(usize::from)
    }

    fn long(&mut self) -> Option<usize> {
        self.array().map(u32::from_le_bytes).and_then(|number| usize::try_from(number).ok())
    }

    /// UTF-16 after the number of its characters.
    fn counted(&mut self) -> Option<&'c [u8]> {
        let n_chars = self.short()?;
        self.take(n_chars.checked_mul(2)?)
    }
}

/// Which item of its arrays an element is being written for, and how many times it is to be written.
struct Turn {
    item: usize,
    of: usize,
}

/// The values of a template's instance; none outside of templates.
type Values<'v, 'c> = Option<&'v [Value<'c>]>;

struct Text<'c, 'w> {
    chunk: &'c [u8],
    out: String,
    work: &'w mut usize,
}

impl<'c> Text<'c, '_> {
    fn pays(&mut self, cost: usize) -> Option<()> {
        *self.work = self.work.checked_sub(cost)?;
        Some(())
    }

    fn token(&mut self, at: &mut Cursor<'c>) -> Option<u8> {
        self.pays(1)?;
        at.byte()
    }

    fn push(&mut self, text: &str) -> Option<()> {
        self.pays(text.len())?;
        self.out.push_str(text);
        (self.out.len() <= XML_BYTES_MAX).then_some(())
    }

    fn push_escaped(&mut self, text: &str) -> Option<()> {
        let before = self.out.len();
        for character in text.chars() {
            match character {
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '&' => self.out.push_str("&amp;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&apos;"),
                '\t' | '\n' | '\r' => self.out.push(character),
                // XML has no way to write these; Windows puts this in their place.
                '\0'..' ' | '\u{fffe}' | '\u{ffff}' => self.out.push('_'),
                _ => self.out.push(character),
            }
        }
        self.pays(self.out.len().saturating_sub(before))?;
        (self.out.len() <= XML_BYTES_MAX).then_some(())
    }

    /// Elements after each other: a record, the body of a template, or what a value holds.
    fn stream(&mut self, mut at: Cursor<'c>, values: Values<'_, 'c>, depth: usize) -> Option<()> {
        let depth = deeper(depth)?;
        while at.at < at.bytes.len() {
            match self.token(&mut at)? {
                END_OF_FRAGMENT => break,
                FRAGMENT_HEADER => drop(at.take(3)?),
                token if token & !MORE == OPEN_START_ELEMENT => {
                    self.element(&mut at, token, values, true, depth)?;
                }
                TEMPLATE_INSTANCE if values.is_none() => self.instance(&mut at, depth)?,
                token => self.instruction(&mut at, token)?,
            }
        }
        Some(())
    }

    /// Processing instructions say nothing of an event.
    fn instruction(&mut self, at: &mut Cursor<'c>, token: u8) -> Option<()> {
        match token {
            PI_TARGET => drop(self.name(at)?),
            PI_DATA => drop(at.counted()?),
            _ => return None,
        }
        Some(())
    }

    fn instance(&mut self, at: &mut Cursor<'c>, depth: usize) -> Option<()> {
        let _version = at.byte()?;
        let _template = at.long()?;
        let definition = at.long()?;
        // A chunk holds a template where it is first used.
        if at.at == definition {
            self.definition(at)?;
        }
        let n_values = at.long()?;
        self.pays(n_values)?;
        let mut table = *at;
        at.take(n_values.checked_mul(4)?)?;
        let mut values = Vec::new();
        for _ in 0..n_values {
            let n_bytes = table.short()?;
            let [kind, _padding] = table.array()?;
            values.push(Value { kind, at: at.at, bytes: at.take(n_bytes)? });
        }
        let body = self.definition(&mut Cursor { bytes: self.chunk, at: definition })?;
        self.stream(body, Some(&values), depth)
    }

    /// Passes over a template's definition and gives its body.
    fn definition(&self, at: &mut Cursor<'c>) -> Option<Cursor<'c>> {
        let _next = at.long()?;
        let _guid = at.take(16)?;
        let n_bytes = at.long()?;
        let begin = at.at;
        at.take(n_bytes)?;
        Some(Cursor { bytes: self.chunk.get(..at.at)?, at: begin })
    }

    /// A name that may stand in XML. A chunk holds each where it is first used.
    fn name(&mut self, at: &mut Cursor<'c>) -> Option<String> {
        let place = at.long()?;
        if at.at == place {
            let _next_and_hash = at.take(6)?;
            at.counted()?;
            let _end = at.take(2)?;
        }
        let mut entry = Cursor { bytes: self.chunk, at: place.checked_add(6)? };
        let units = entry.counted()?;
        self.pays(units.len())?;
        let is_name = |name: &str| {
            name.starts_with(|first: char| first.is_alphabetic() || first == '_')
                && name.chars().all(|next| next.is_alphanumeric() || "_-.:".contains(next))
        };
        (units.len() <= NAME_CHARS_MAX.saturating_mul(2)).then_some(())?;
        Some(value::utf16(units)).filter(|name| is_name(name))
    }

    /// An element, as often as its arrays have items.
    fn element(
        &mut self,
        at: &mut Cursor<'c>,
        token: u8,
        values: Values<'_, 'c>,
        is_root: bool,
        depth: usize,
    ) -> Option<()> {
        let depth = deeper(depth)?;
        let begin = *at;
        let mut turn = Turn { item: 0, of: 1 };
        while turn.item < turn.of {
            *at = begin;
            let before = self.out.len();
            let dependency = if values.is_some() { Some(at.short()?) } else { None };
            let value = dependency.and_then(|place| values?.get(place));
            self.element_once(at, token & MORE != 0, values, &mut turn, depth)?;
            if value.is_some_and(|value| value.is_null()) && !is_root {
                self.out.truncate(before);
            }
            turn.item = turn.item.saturating_add(1);
        }
        Some(())
    }

    fn element_once(
        &mut self,
        at: &mut Cursor<'c>,
        has_attributes: bool,
        values: Values<'_, 'c>,
        turn: &mut Turn,
        depth: usize,
    ) -> Option<()> {
        // Lengths are not needed: what is in it says where it ends.
        let _length = at.long()?;
        let name = self.name(at)?;
        if has_attributes {
            let _length = at.long()?;
        }
        self.push("<")?;
        self.push(&name)?;
        if self.attributes(at, values, turn)? == CLOSE_EMPTY_ELEMENT {
            return self.push("/>");
        }
        self.push(">")?;
        loop {
            match self.token(at)? {
                END_ELEMENT => break,
                token if token & !MORE == OPEN_START_ELEMENT => {
                    self.element(at, token, values, false, depth)?;
                }
                TEMPLATE_INSTANCE if values.is_none() => self.instance(at, depth)?,
                token @ (PI_TARGET | PI_DATA) => self.instruction(at, token)?,
                token => self.text(at, token, values, turn, Some(depth))?,
            }
        }
        self.push("</")?;
        self.push(&name)?;
        self.push(">")
    }

    /// The attributes of an element, without those that have no text; gives the token that ends them.
    fn attributes(&mut self, at: &mut Cursor<'c>, values: Values<'_, 'c>, turn: &mut Turn) -> Option<u8> {
        // Where the last attribute begins, and where its text does.
        let mut last: Option<(usize, usize)> = None;
        loop {
            let token = self.token(at)?;
            let is_attribute = token & !MORE == ATTRIBUTE;
            let is_end = matches!(token, CLOSE_START_ELEMENT | CLOSE_EMPTY_ELEMENT);
            if !is_attribute && !is_end {
                last?;
                self.text(at, token, values, turn, None)?;
                continue;
            }
            match last {
                Some((begin, text)) if text == self.out.len() => self.out.truncate(begin),
                Some(_) => self.push("\"")?,
                None => {}
            }
            if is_end {
                return Some(token);
            }
            let begin = self.out.len();
            let name = self.name(at)?;
            self.push(" ")?;
            self.push(&name)?;
            self.push("=\"")?;
            last = Some((begin, self.out.len()));
        }
    }

    /// What stands for text. Binary XML may be in it where there is a depth, that is, not in an attribute.
    fn text(
        &mut self,
        at: &mut Cursor<'c>,
        token: u8,
        values: Values<'_, 'c>,
        turn: &mut Turn,
        depth: Option<usize>,
    ) -> Option<()> {
        match token {
            NORMAL_SUBSTITUTION | OPTIONAL_SUBSTITUTION => {
                let place = at.short()?;
                let _kind = at.byte()?;
                // A value that the instance does not give is as good as null.
                values?.get(place).map_or(Some(()), |value| self.value(*value, turn, depth))
            }
            token => match token & !MORE {
                VALUE_TEXT => {
                    let kind = at.byte()?;
                    let n_bytes = match (kind, value::width(kind)) {
                        (value::NULL, _) => 0,
                        (_, Some(width)) => width,
                        (BIN_XML, _) => at.short()?,
                        (value::STRING, _) => at.short()?.checked_mul(2)?,
                        _ => return None,
                    };
                    self.value(Value { kind, at: at.at, bytes: at.take(n_bytes)? }, turn, depth)
                }
                CDATA => {
                    let text = value::utf16(at.counted()?);
                    self.push_escaped(&text)
                }
                CHARACTER_REFERENCE => {
                    let code = u32::try_from(at.short()?).ok().and_then(char::from_u32);
                    self.push_escaped(code.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut [0; 4]))
                }
                ENTITY_REFERENCE => {
                    let name = self.name(at)?;
                    self.push(&format!("&{name};"))
                }
                _ => None,
            },
        }
    }

    fn value(&mut self, value: Value<'c>, turn: &mut Turn, depth: Option<usize>) -> Option<()> {
        if value.kind == BIN_XML {
            if value.bytes.is_empty() {
                return Some(());
            }
            let end = value.at.checked_add(value.bytes.len())?;
            return self.stream(Cursor { bytes: self.chunk.get(..end)?, at: value.at }, None, depth?);
        }
        // Also what is read and comes to no text, such as zeros.
        self.pays(value.bytes.len())?;
        let Some(items) = value.items() else { return self.push_escaped(&value.text()?) };
        // A record keeps no more fields than that.
        turn.of = turn.of.max(items.len().min(FIELDS_MAX));
        // An array of one is that one; a shorter one beside a longer has no more.
        items.get(turn.item).map_or(Some(()), |item| self.push_escaped(&item.text()?))
    }
}

fn deeper(depth: usize) -> Option<usize> {
    depth.checked_add(1).filter(|depth| *depth <= DEPTH_MAX)
}

#[cfg(test)]
pub(super) mod tests;
