//! What was found, in one sorted, bounded list.

use std::collections::BTreeMap;

use ntk_evidence::event::{Holding, HoldingKind};

/// Most things of one kind: a list beyond that is no list that anybody reads.
const OF_A_KIND_MAX: usize = 400;
/// Most bytes in all, before quotes are escaped: what is new and what is gone together stay below an entry's bound of 1 MiB.
const BYTES_MAX: usize = 240 << 10;
/// What the names of its fields add to each thing.
const FRAME_BYTES: usize = 120;
/// Most characters of one text.
const TEXT_MAX: usize = 160;
/// Most accounts that one thing names.
const ACCOUNTS_MAX: usize = 64;

/// What was found so far; equal things are counted, not repeated.
#[derive(Debug, Default)]
pub(super) struct List {
    found: BTreeMap<Holding, u32>,
    n_of: BTreeMap<HoldingKind, usize>,
    n_bytes: usize,
    left_out: u64,
}

impl List {
    /// A thing with a name and its accounts, and nothing more known.
    pub(super) fn of<T: AsRef<str>>(what: HoldingKind, name: &str, accounts: &[T]) -> Holding {
        let mut accounts: Vec<String> = accounts.iter().map(|account| account.as_ref().to_owned()).collect();
        accounts.sort();
        accounts.dedup();
        Holding { what, name: name.to_owned(), accounts, place: None, detail: None, last_used: None }
    }

    /// Adds a thing; its texts are cut to their bound and freed of control characters.
    pub(super) fn add(&mut self, mut holding: Holding) {
        holding.name = plain(&holding.name);
        holding.place = holding.place.as_deref().map(plain);
        holding.detail = holding.detail.as_deref().map(plain).filter(|text| !text.is_empty());
        holding.accounts = holding.accounts.iter().take(ACCOUNTS_MAX).map(|account| plain(account)).collect();
        if let Some(n) = self.found.get_mut(&holding) {
            *n = n.saturating_add(1);
            return;
        }
        let n_of = self.n_of.entry(holding.what.clone()).or_default();
        let n_bytes = self.n_bytes.saturating_add(bytes_of(&holding));
        if *n_of >= OF_A_KIND_MAX || n_bytes > BYTES_MAX {
            self.left_out = self.left_out.saturating_add(1);
            return;
        }
        (*n_of, self.n_bytes) = (n_of.saturating_add(1), n_bytes);
        self.found.insert(holding, 1);
    }

    /// Everything in order, and how many were left out.
    pub(super) fn finish(self) -> (Vec<Holding>, u64) {
        let times = |(mut holding, n): (Holding, u32)| {
            if n > 1 {
                let detail = holding.detail.take().map(|detail| format!("{detail}, ")).unwrap_or_default();
                holding.detail = Some(format!("{detail}{n} times"));
            }
            holding
        };
        (self.found.into_iter().map(times).collect(), self.left_out)
    }
}

fn bytes_of(holding: &Holding) -> usize {
    let accounts = holding.accounts.iter().map(|account| account.len().saturating_add(3)).sum::<usize>();
    let texts = [Some(&holding.name), holding.place.as_ref(), holding.detail.as_ref()];
    let texts = texts.into_iter().flatten().map(String::len).sum::<usize>();
    accounts.saturating_add(texts).saturating_add(FRAME_BYTES)
}

/// A text of strangers on one line, within its bound.
fn plain(text: &str) -> String {
    let one_line = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let cut: String = one_line.take(TEXT_MAX).collect();
    cut.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_things_are_counted_and_too_many_are_left_out_and_said() {
        let mut list = List::default();
        for _ in 0..3 {
            list.add(List::of(HoldingKind::ScheduledJob, "a\u{1b}[31m.sh", &["bea", "bea"]));
        }
        for n in 0..OF_A_KIND_MAX + 7 {
            list.add(List::of(HoldingKind::SecretPlace, &format!("~/{n}"), &["bea"]));
        }
        let (holdings, left_out) = list.finish();
        assert_eq!((holdings.len(), left_out), (OF_A_KIND_MAX + 1, 7));
        assert_eq!(holdings[0].detail.as_deref(), Some("3 times"));
        assert_eq!((holdings[0].name.as_str(), holdings[0].accounts.len()), ("a [31m.sh", 1));
        assert_eq!(plain(&"ü".repeat(1000)).chars().count(), TEXT_MAX);
    }
}
