//! Which notes are handed out: a moving average of their relevance, with two thresholds.
//!
//! ```text
//! s₀ = 1                                        a new note is worth reading
//! s′ = s + α · (r − s),   α = 0.6 where r > s,  0.2 where not
//! a closed note opens at s′ ≥ 0.4;  an open one closes at s′ < 0.2
//! ```
//!
//! It rises fast, so that one session that is about a note brings it back, and falls slowly: eight sessions that have nothing to do with
//! it let it go. Between the thresholds all stays as it was, so that a note does not come and go from session to session. All numbers are
//! thousandths, in whole numbers.

use crate::mission::Weight;

const RISE: i32 = 600;
const FALL: i32 = 200;
/// The score at which a closed note opens.
pub const OPENS: u16 = 400;
/// The score below which an open note closes.
pub const CLOSES: u16 = 200;

/// The weight of a note after a session to which it is so relevant (thousandths). A new note has none before.
pub fn weigh(before: Option<Weight>, relevance: u16) -> Weight {
    let Weight { score, open, at } = before.unwrap_or(Weight { score: 1000, open: true, at: 0 });
    let (score, relevance) = (i32::from(score.min(1000)), i32::from(relevance.min(1000)));
    let pace = if relevance > score { RISE } else { FALL };
    let score = (score + (relevance - score) * pace / 1000).clamp(0, 1000) as u16;
    let open = if open { score >= CLOSES } else { score >= OPENS };
    Weight { score, open, at }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn eight_sessions_let_a_note_go_and_one_brings_it_back() {
        let mut weight = None;
        let mut told = 0;
        while weight.is_none_or(|w: Weight| w.open) {
            weight = Some(weigh(weight, 0));
            told += 1;
            assert!(told < 20);
        }
        assert_eq!(told, 8);
        let back = weigh(weight, 667);
        assert!(back.open, "{back:?}");
        assert!(!weigh(weight, 300).open, "a little relevance is not enough");
    }

    proptest! {
        #[test]
        fn a_score_stays_between_what_it_was_and_what_came(score in 0u16..=1000, open: bool, relevance in 0u16..=1000) {
            let after = weigh(Some(Weight { score, open, at: 7 }), relevance);
            prop_assert!(after.score >= score.min(relevance) && after.score <= score.max(relevance));
            // Between the thresholds nothing changes hands.
            if (CLOSES..OPENS).contains(&after.score) {
                prop_assert_eq!(after.open, open);
            }
        }
    }
}
