//! What can be trusted of a damaged journal: every record whose checksum holds, and of each mission the events up to the
//! first that is missing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;

use super::kept::sum_of_checkpoint;
use super::pages::{Age, Field, Pages};
use super::sum::{Kind, hash, sum};
use crate::mission::Event;

/// The records that hold, and what is known of those that do not.
#[derive(Debug, Default)]
pub(super) struct Salvage {
    /// By mission and number: the stamp and the text.
    pub events: BTreeMap<String, BTreeMap<i64, (i64, String)>>,
    /// By mission and number.
    pub receipts: BTreeMap<(String, i64), String>,
    /// By mission and number.
    pub trees: BTreeMap<(String, i64), String>,
    /// By mission and name.
    pub checkpoints: BTreeMap<(String, String), String>,
    /// By hash.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// In the order in which they lie.
    pub letters: Vec<String>,
    /// What was lost before: when, which file was kept, in words.
    pub losses: BTreeSet<(i64, String, String)>,
    /// Missions that are named somewhere.
    pub named: BTreeSet<String>,
    /// Records that are there and do not hold, in words.
    pub broken: BTreeSet<String>,
}

impl Salvage {
    /// Reads a file and its log. What belongs to a mission that `skip` names is left out: it is kept elsewhere.
    pub fn of(file: &[u8], log: &[u8], skip: impl Fn(&str) -> bool) -> Salvage {
        let mut salvage = Salvage::default();
        for (age, record) in Pages::new(file, log).records() {
            let of_mission = match record.first() {
                Some(Field::Text(mission)) => skip(mission),
                _ => false,
            };
            if !of_mission {
                salvage.take(age, record);
            }
        }
        let Salvage { events, receipts, trees, checkpoints, broken, .. } = &mut salvage;
        // A newer or an older copy of the same page may hold.
        broken.retain(|what| {
            let event = |m: &String, n: &i64| *what == name("event", m, *n);
            let receipt = |(m, n): &(String, i64)| *what == name("receipt", m, *n);
            let tree = |(m, n): &(String, i64)| *what == name("tree", m, *n);
            let checkpoint = |(m, n): &(String, String)| *what == name("checkpoint", m, n);
            !events.iter().any(|(m, all)| all.keys().any(|n| event(m, n)))
                && !receipts.keys().any(receipt)
                && !trees.keys().any(tree)
                && !checkpoints.keys().any(checkpoint)
        });
        salvage
    }

    fn take(&mut self, age: Age, record: Vec<Field>) {
        use Field::{Bytes, Int, Null, Text};
        match <[Field; 5]>::try_from(record) {
            Ok([Text(m), Int(n), Int(at), Text(body), Int(written)]) => {
                let holds = sum(Kind::Event, &m, n, at, &body) == written;
                self.event(age, holds, m, n, (at, body));
            }
            Ok(_) => {}
            Err(record) => match &record[..] {
                // Events of the first formats have no checksum; they must at least be events.
                [Text(m), Int(n), Int(at), Text(body)] => {
                    let event = (*at, body.clone());
                    self.event(age, true, m.clone(), *n, event);
                }
                [Text(m), Int(n), Text(body), Int(written)] => {
                    let is = |kind| sum(kind, m, *n, 0, body) == *written;
                    self.receipt_or_tree(age, is(Kind::Receipt), is(Kind::Tree), (m, *n, body));
                }
                [Text(m), Int(n), Text(body)] => {
                    let is_receipt = body.contains("\"proof\":");
                    self.receipt_or_tree(age, is_receipt, !is_receipt, (m, *n, body));
                }
                [Text(m), Text(named), Text(body), Int(written)] => {
                    let holds = sum_of_checkpoint(m, named, body) == *written;
                    self.checkpoint(age, holds, (m, named, body));
                }
                [Text(named), Bytes(bytes)] => self.blob(age, named, bytes),
                [Null, Text(body), Int(written)] if age == Age::Newest => {
                    match sum(Kind::Letter, "", 0, 0, body) == *written {
                        true => self.letters.push(body.clone()),
                        false => _ = self.broken.insert("a letter".to_owned()),
                    }
                }
                [Int(at), Text(kept), Text(what)] if age == Age::Newest => {
                    self.losses.insert((*at, kept.clone(), what.clone()));
                }
                [Text(id), Int(_)] if age == Age::Newest && id != "inbox" => {
                    self.named.insert(id.clone());
                }
                _ => {}
            },
        }
    }

    fn event(&mut self, age: Age, holds: bool, mission: String, n: i64, event: (i64, String)) {
        // What holds and is no event is of no use: the mission ends before it.
        if holds && n >= 0 && serde_json::from_str::<Event>(&event.1).is_ok() {
            self.events.entry(mission).or_default().entry(n).or_insert(event);
        } else if age == Age::Newest {
            self.broken.insert(name("event", &mission, n));
        }
    }

    fn receipt_or_tree(
        &mut self,
        age: Age,
        is_receipt: bool,
        is_tree: bool,
        (mission, n, body): (&String, i64, &String),
    ) {
        let key = (mission.clone(), n);
        if is_receipt {
            self.receipts.entry(key).or_insert_with(|| body.clone());
        } else if is_tree {
            self.trees.entry(key).or_insert_with(|| body.clone());
        } else if age == Age::Newest {
            self.broken.insert(name("receipt", mission, n));
        }
    }

    /// An older text of one is better than none: it names the same files.
    fn checkpoint(&mut self, age: Age, holds: bool, (m, named, body): (&String, &String, &String)) {
        if holds {
            let key = (m.clone(), named.clone());
            self.checkpoints.entry(key).or_insert_with(|| body.clone());
        } else if age == Age::Newest {
            self.broken.insert(name("checkpoint", m, named));
        }
    }

    fn blob(&mut self, age: Age, named: &str, bytes: &[u8]) {
        if hash(bytes) == named {
            self.blobs.entry(named.to_owned()).or_insert_with(|| bytes.to_owned());
        } else if age == Age::Newest && named.len() == 64 {
            let short = named.get(..12).unwrap_or(named);
            self.broken.insert(format!("the bytes {short}"));
        }
    }

    /// Cuts every mission at its first missing event, and says what that costs, by mission.
    pub fn cut(&mut self) -> BTreeMap<String, String> {
        let mut lost = BTreeMap::new();
        for mission in self.named.iter().filter(|id| !self.events.contains_key(*id)) {
            lost.insert(mission.clone(), "all of it".to_owned());
        }
        self.events.retain(|mission, events| {
            let next = (0..).zip(events.keys()).take_while(|(n, key)| n == *key).count() as i64;
            let behind = events.split_off(&next).len();
            let cut = self.broken.contains(&name("event", mission, next));
            if cut || behind > 0 {
                let also = match behind {
                    0 => String::new(),
                    n => format!(", and {n} after it"),
                };
                lost.insert(mission.clone(), format!("event {next}{also}"));
            }
            next > 0
        });
        lost
    }
}

fn name(what: &str, mission: &str, which: impl Display) -> String {
    format!("{what} {which} of {mission}")
}
