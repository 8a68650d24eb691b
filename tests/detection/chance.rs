//! Chance with a seed: the same seed gives the same practice, byte for byte (splitmix64).

/// A stream of numbers that looks like chance and is not.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// A stream of its own for each purpose, so that a change to one does not stir the others.
    pub fn new(seed: u64, purpose: &str) -> Self {
        let stir = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        let mut chance = Self(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, stir));
        let _ = chance.number();
        chance
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `least` to `most`, both included.
    pub fn between(&mut self, least: i64, most: i64) -> i64 {
        let width = most.abs_diff(least).saturating_add(1);
        least.saturating_add_unsigned(self.number() % width.max(1))
    }

    /// Whether something happens that does so in this many of a thousand cases.
    pub fn happens(&mut self, of_a_thousand: u32) -> bool {
        self.number() % 1000 < u64::from(of_a_thousand)
    }

    /// One of them; nothing where there are none.
    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let n = u64::try_from(from.len()).ok().filter(|n| *n > 0)?;
        from.get(usize::try_from(self.number() % n).ok()?)
    }

    /// One of these words.
    pub fn word(&mut self, from: &[&'static str]) -> &'static str {
        self.pick(from).copied().unwrap_or_default()
    }

    /// Any order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let n = u64::try_from(end).unwrap_or(u64::MAX).saturating_add(1);
            if let Ok(other) = usize::try_from(self.number() % n) {
                items.swap(end, other);
            }
        }
    }
}
