//! The structure of the document for readers that do not see it: headings, paragraphs, lists, tables, drawings in words.

use krilla::tagging::{Identifier, ListNumbering, TableHeaderScope, Tag, TagGroup, TagTree};

use super::emit::level;
use super::flow::Role;

/// The tree while it grows, in the order of reading.
#[derive(Default)]
pub(super) struct Structure {
    done: Vec<TagGroup>,
    open: Option<Open>,
}

/// A part that the next piece may belong to.
enum Open {
    Heading { text: String, group: TagGroup },
    Paragraph { number: u32, group: TagGroup },
    List { number: u32, items: Vec<(u32, TagGroup)> },
    Table { number: u32, rows: Vec<(u32, Vec<(u32, TagGroup)>)> },
}

impl Structure {
    /// Takes in the content of a piece.
    pub(super) fn push(&mut self, role: &Role, id: Identifier) {
        match role {
            Role::Decoration => {}
            Role::Figure(words) => {
                self.close();
                let mut group = TagGroup::new(Tag::Figure(Some(words.clone())));
                group.push(id);
                self.done.push(group);
            }
            Role::Heading(of_level, text) => match &mut self.open {
                Some(Open::Heading { text: have, group }) if have == text => group.push(id),
                _ => {
                    self.close();
                    let mut group = TagGroup::new(Tag::Hn(level(*of_level), Some(text.clone())));
                    group.push(id);
                    self.open = Some(Open::Heading { text: text.clone(), group });
                }
            },
            Role::Paragraph(number) => match &mut self.open {
                Some(Open::Paragraph { number: have, group }) if have == number => group.push(id),
                _ => {
                    self.close();
                    let mut group = TagGroup::new(Tag::P);
                    group.push(id);
                    self.open = Some(Open::Paragraph { number: *number, group });
                }
            },
            Role::Item { list, item } => self.item(*list, *item, id),
            Role::Cell { table, row, column, is_head } => self.cell(*table, *row, (*column, *is_head), id),
        }
    }

    fn item(&mut self, list: u32, item: u32, id: Identifier) {
        if !matches!(&self.open, Some(Open::List { number, .. }) if *number == list) {
            self.close();
            self.open = Some(Open::List { number: list, items: Vec::new() });
        }
        let Some(Open::List { items, .. }) = &mut self.open else { return };
        match items.last_mut() {
            Some((have, group)) if *have == item => group.push(id),
            _ => {
                let mut group = TagGroup::new(Tag::LBody);
                group.push(id);
                items.push((item, group));
            }
        }
    }

    fn cell(&mut self, table: u32, row: u32, (column, is_head): (u32, bool), id: Identifier) {
        if !matches!(&self.open, Some(Open::Table { number, .. }) if *number == table) {
            self.close();
            self.open = Some(Open::Table { number: table, rows: Vec::new() });
        }
        let Some(Open::Table { rows, .. }) = &mut self.open else { return };
        if rows.last().is_none_or(|(have, _)| *have != row) {
            rows.push((row, Vec::new()));
        }
        let Some((_, cells)) = rows.last_mut() else { return };
        match cells.last_mut() {
            Some((have, group)) if *have == column => group.push(id),
            _ => {
                let scope =
                    if row == 0 && column > 0 { TableHeaderScope::Column } else { TableHeaderScope::Row };
                let mut group = if is_head { TagGroup::new(Tag::TH(scope)) } else { TagGroup::new(Tag::TD) };
                group.push(id);
                cells.push((column, group));
            }
        }
    }

    fn close(&mut self) {
        match self.open.take() {
            None => {}
            Some(Open::Heading { group, .. } | Open::Paragraph { group, .. }) => self.done.push(group),
            Some(Open::List { items, .. }) => {
                let mut list = TagGroup::new(Tag::L(ListNumbering::None));
                for (_, body) in items {
                    let mut item = TagGroup::new(Tag::LI);
                    item.push(body);
                    list.push(item);
                }
                self.done.push(list);
            }
            Some(Open::Table { rows, .. }) => {
                let mut table = TagGroup::new(Tag::Table);
                for (_, cells) in rows {
                    let mut row = TagGroup::new(Tag::TR);
                    for (_, cell) in cells {
                        row.push(cell);
                    }
                    table.push(row);
                }
                self.done.push(table);
            }
        }
    }

    /// The whole tree.
    pub(super) fn tree(mut self) -> TagTree {
        self.close();
        let mut tree = TagTree::new().with_lang(Some("en".to_owned()));
        for group in self.done {
            tree.push(group);
        }
        tree
    }
}
