//! Dice: numbers that look random, the same for the same seed everywhere.

/// The next number of SplitMix64, which is small and fast, and for which every seed is as good as the next.
pub fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// What a simulated mission rolls.
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that roll what the seed says.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// A number below `sides`; 0 where there is no side.
    pub fn roll(&mut self, sides: u64) -> u64 {
        split_mix(&mut self.0) % sides.max(1)
    }

    /// Yes, once in `sides` times.
    pub fn once_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }

    /// One of some.
    pub fn pick<T: Copy>(&mut self, some: &[T], otherwise: T) -> T {
        some.get(self.roll(some.len() as u64) as usize).copied().unwrap_or(otherwise)
    }
}
