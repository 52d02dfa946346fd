//! A small generator of reproducible choices (SplitMix64). It must not know what is chosen.

use crate::mission::simulation::split_mix;

/// The same seed gives the same choices, on every machine.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator for one purpose: each name has choices of its own under a seed.
    pub fn new(seed: u64, purpose: &str) -> Random {
        let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        Random(purpose.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, mix))
    }

    /// A number below `bound`; 0 where the bound is 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(u64::MAX);
        usize::try_from(split_mix(&mut self.0) % bound).unwrap_or(0)
    }

    /// One of `items`.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.below(items.len());
        items.get(at)
    }

    /// A word of `length` characters out of `alphabet`.
    pub fn word(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet: Vec<char> = alphabet.chars().collect();
        (0..length).filter_map(|_| self.pick(&alphabet).copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_choices_and_each_purpose_its_own() {
        let draw = |seed, purpose| {
            let mut random = Random::new(seed, purpose);
            (0..8).map(|_| random.below(1000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "typo"), draw(1, "typo"));
        assert_ne!(draw(1, "typo"), draw(2, "typo"));
        assert_ne!(draw(1, "typo"), draw(1, "comment"));
        assert_eq!(Random::new(1, "").pick::<u8>(&[]), None);
    }
}
