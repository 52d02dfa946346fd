//! Checksums of records.
//!
//! Each record carries its own: the first eight bytes of the SHA-256 of what it is, where it belongs and what it says.
//! They are not chained. A record's place (its mission and number) is part of its checksum, so a record that is changed,
//! moved or copied does not hold and one that is missing leaves a gap in the numbers; a chain would find nothing more,
//! and every record would have to be read before the next one could be written or trusted.

use sha2::{Digest, Sha256};

/// What a record is; part of its checksum, so that none can stand in for one of another kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Event,
    Receipt,
    Tree,
    Letter,
    Checkpoint,
    State,
}

/// The checksum of a record. What has no mission, number or stamp passes an empty text or 0.
pub(super) fn sum(kind: Kind, mission: &str, seq: i64, at: i64, body: &str) -> i64 {
    let mut hasher = Sha256::new();
    let mut head = [0; 25];
    head[0] = kind as u8;
    head[1..9].copy_from_slice(&(mission.len() as u64).to_le_bytes());
    head[9..17].copy_from_slice(&seq.to_le_bytes());
    head[17..25].copy_from_slice(&at.to_le_bytes());
    hasher.update(head);
    hasher.update(mission.as_bytes());
    hasher.update(body.as_bytes());
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(first)
}

/// SHA-256 of bytes in lower-case hexadecimal: the name under which they are kept.
pub(super) fn hash(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing into a string does not fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_of_a_record_counts() {
        let of = sum(Kind::Event, "m", 1, 2, "body");
        assert_eq!(of, sum(Kind::Event, "m", 1, 2, "body"));
        for other in [
            sum(Kind::Receipt, "m", 1, 2, "body"),
            sum(Kind::Event, "n", 1, 2, "body"),
            sum(Kind::Event, "m", 2, 2, "body"),
            sum(Kind::Event, "m", 1, 3, "body"),
            sum(Kind::Event, "m", 1, 2, "bodz"),
            sum(Kind::Event, "mb", 1, 2, "ody"),
        ] {
            assert_ne!(of, other);
        }
        // Journals that were written are read by later versions: the algorithm is a part of the format.
        assert_eq!(sum(Kind::Event, "m", 1, 2, "body"), PINNED);
        assert!(hash(b"abc").starts_with("ba7816bf8f01cfea"));
    }

    const PINNED: i64 = -8_675_074_496_739_027_021;
}
