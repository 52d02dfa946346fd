//! Receipts: what was proved, chained so that nobody can change one afterwards without being found out.
//!
//! A receipt is canonical JSON (keys sorted, no blanks, integers only); each names the SHA-256 of the one before. The
//! seal is the last link: it names the plan, the tree and the stages that were run over the whole of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Report, StageReport};
use crate::gate::mutants::Mutation;
use crate::workspace::hash::sha256;

/// The format's number; a receipt of a later format is not read.
pub const FORMAT: u32 = 2;

/// One link of a mission's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// [`FORMAT`].
    pub format: u32,
    /// The mission.
    pub mission: String,
    /// Place in the chain, from 1.
    pub seq: u64,
    /// [`Receipt::hash`] of the one before; `None` for the first.
    pub prev: Option<String>,
    /// What was proved.
    pub proof: Proof,
    /// When, in milliseconds since the Unix epoch.
    pub at_ms: u64,
    /// SHA-256 of this receipt's canonical JSON without this field.
    pub hash: String,
}

/// What a receipt proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Proof {
    /// One accepted change-set.
    Change {
        /// The plan item that it belongs to.
        item: String,
        /// Hash of the whole tree that it was proved on, before it; receipts of earlier versions do not name it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tree: Option<String>,
        /// What the gate said.
        report: Report,
    },
    /// The end of the mission.
    Seal {
        /// SHA-256 of the plan's text.
        plan: String,
        /// Hash of the whole tree.
        tree: String,
        /// The stages that were run over it.
        stages: Vec<StageReport>,
        /// Slips in the mission's lines that no check notices; they are hints and refuse nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mutants: Option<Mutation>,
    },
}

/// Where a chain breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("receipt {seq} does not hold: {why}")]
pub struct ChainError {
    /// Place of the first bad receipt, from 1.
    pub seq: u64,
    /// What is wrong with it.
    pub why: String,
}

impl Receipt {
    /// The next link after `prev`.
    pub fn next(prev: Option<&Receipt>, mission: &str, proof: Proof, at_ms: u64) -> Receipt {
        let mut receipt = Receipt {
            format: FORMAT,
            mission: mission.to_owned(),
            seq: prev.map_or(1, |prev| prev.seq + 1),
            prev: prev.map(|prev| prev.hash.clone()),
            proof,
            at_ms,
            hash: String::new(),
        };
        receipt.hash = receipt.compute_hash();
        receipt
    }

    /// The hash that the receipt ought to have.
    pub fn compute_hash(&self) -> String {
        let mut value = serde_json::to_value(self).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut value {
            fields.remove("hash");
        }
        sha256(canonical(&value).as_bytes())
    }

    /// The receipt as canonical JSON, its hash included.
    pub fn to_json(&self) -> String {
        canonical(&serde_json::to_value(self).unwrap_or(Value::Null))
    }

    /// Reads a receipt, insisting on the canonical form: a byte that carries no meaning cannot be changed either.
    ///
    /// # Errors
    /// When the text is no receipt, or not in canonical form.
    pub fn from_json(text: &str) -> Result<Receipt, ChainError> {
        let failed = |why: String| ChainError { seq: 0, why };
        let receipt: Receipt = serde_json::from_str(text)
            .map_err(|error| failed(format!("it cannot be read: {error}")))?;
        if receipt.to_json() != text {
            return Err(ChainError {
                seq: receipt.seq,
                why: "it is not in canonical form".to_owned(),
            });
        }
        Ok(receipt)
    }
}

/// `value` with sorted keys and no blanks.
fn canonical(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut keys: Vec<&String> = fields.keys().collect();
            keys.sort();
            let parts: Vec<String> = keys
                .into_iter()
                .map(|key| format!("{}:{}", Value::from(key.as_str()), canonical(&fields[key])))
                .collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::Array(items) => {
            format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

/// Checks every link of a mission's chain, first to last.
///
/// # Errors
/// The first receipt that does not hold, and why.
pub fn verify_chain(receipts: &[Receipt]) -> Result<(), ChainError> {
    let mut prev: Option<&Receipt> = None;
    for (seq, receipt) in (1u64..).zip(receipts) {
        verify_link(seq, prev, receipt).map_err(|why| ChainError { seq, why: why.to_owned() })?;
        prev = Some(receipt);
    }
    Ok(())
}

fn verify_link(seq: u64, prev: Option<&Receipt>, receipt: &Receipt) -> Result<(), &'static str> {
    if receipt.format != FORMAT {
        return Err("its format is unknown");
    }
    if receipt.hash != receipt.compute_hash() {
        return Err("its content does not match its hash");
    }
    if receipt.seq != seq {
        return Err("a receipt before it is missing, or they are out of order");
    }
    if receipt.prev.as_ref() != prev.map(|prev| &prev.hash) {
        return Err("it does not follow the one before");
    }
    if prev.is_some_and(|prev| prev.mission != receipt.mission) {
        return Err("it belongs to another mission");
    }
    if prev.is_some_and(|prev| matches!(prev.proof, Proof::Seal { .. })) {
        return Err("it comes after the seal");
    }
    if let Proof::Change { report, .. } = &receipt.proof
        && report.verdict != super::Verdict::Accepted
    {
        return Err("it vouches for a change that was not accepted");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{FileProof, Stage, StageVerdict, Verdict};
    use super::*;
    use crate::workspace::path::RelPath;

    fn chain() -> Vec<Receipt> {
        let stage = StageReport {
            stage: Stage::Tools,
            verdict: StageVerdict::Passed,
            detail: "0 errors".to_owned(),
            tools: vec!["cargo 1.95.0".to_owned()],
            us: 12_000,
            asked: None,
        };
        let report = Report {
            verdict: Verdict::Accepted,
            stages: vec![stage.clone()],
            files: vec![FileProof {
                path: RelPath::new("src/lib.rs").expect("good"),
                base: Some(sha256(b"before")),
                result: Some(sha256(b"after")),
            }],
            problems: Vec::new(),
            revealed: Vec::new(),
            repairs: Vec::new(),
        };
        let item = "T1".to_owned();
        let first = Receipt::next(
            None,
            "m1",
            Proof::Change { item: item.clone(), tree: None, report: report.clone() },
            1,
        );
        let second = Receipt::next(
            Some(&first),
            "m1",
            Proof::Change { item, tree: Some(sha256(b"t")), report },
            2,
        );
        let mutants = Some(Mutation { tried: 3, killed: 3, ..Mutation::default() });
        let (plan, tree) = (sha256(b"plan"), sha256(b"tree"));
        let seal = Proof::Seal { plan, tree, stages: vec![stage], mutants };
        let third = Receipt::next(Some(&second), "m1", seal, 3);
        vec![first, second, third]
    }

    #[test]
    fn a_chain_holds_and_reads_back() {
        let chain = chain();
        assert_eq!(verify_chain(&chain), Ok(()));
        for receipt in &chain {
            assert_eq!(Receipt::from_json(&receipt.to_json()).as_ref(), Ok(receipt));
        }
    }

    #[test]
    fn keys_are_sorted_and_blanks_are_gone() {
        let json = chain()[0].to_json();
        assert!(json.starts_with("{\"at_ms\":1,\"format\":2,\"hash\":\""), "{json}");
        assert!(!json.contains(": "), "{json}");
    }

    #[test]
    fn any_changed_byte_is_found() {
        let chain = chain();
        for (index, receipt) in chain.iter().enumerate() {
            let json = receipt.to_json();
            for at in 0..json.len() {
                for flip in [1u8, 2, 0x20] {
                    let mut bytes = json.clone().into_bytes();
                    bytes[at] ^= flip;
                    let Ok(text) = String::from_utf8(bytes) else {
                        continue;
                    };
                    let Ok(read) = Receipt::from_json(&text) else {
                        continue;
                    };
                    let mut tampered = chain.clone();
                    tampered[index] = read;
                    assert!(
                        verify_chain(&tampered).is_err(),
                        "byte {at} of receipt {index}: {text}"
                    );
                }
            }
        }
    }

    #[test]
    fn links_cannot_be_dropped_swapped_or_added() {
        let chain = chain();
        assert!(verify_chain(&chain[1..]).is_err());
        assert!(verify_chain(&[chain[0].clone(), chain[2].clone()]).is_err());
        assert!(verify_chain(&[chain[1].clone(), chain[0].clone()]).is_err());
        let after = Receipt::next(chain.last(), "m1", chain[0].proof.clone(), 9);
        let mut longer = chain.clone();
        longer.push(after);
        assert!(verify_chain(&longer).is_err());
    }
}
