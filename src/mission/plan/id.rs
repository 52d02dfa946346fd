//! Ids of plan items: `M1`, `T1.2`, `S1.2.3`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The most digits of a number: there is always a next one.
const DIGITS: usize = 6;

/// The level of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// `M1`
    Milestone,
    /// `T1.2`
    Task,
    /// `S1.2.3`
    Step,
}

/// The id of a plan item. `T1.1` and `T1.10` are different items: ids are compared whole, by number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ItemId {
    level: Level,
    numbers: Vec<u32>,
}

impl ItemId {
    /// The milestone with that number.
    pub fn milestone(number: u32) -> ItemId {
        ItemId { level: Level::Milestone, numbers: vec![number] }
    }

    /// The `number`th child of this item: a task of a milestone, a step of a task. A step's child is a step as well.
    pub fn child(&self, number: u32) -> ItemId {
        let level = match self.level {
            Level::Milestone => Level::Task,
            Level::Task | Level::Step => Level::Step,
        };
        let mut numbers = self.numbers.clone();
        numbers.push(number);
        ItemId { level, numbers }
    }

    /// Reads `M1`, `T1.2` or `S1.2.3`.
    pub fn parse(text: &str) -> Option<ItemId> {
        let level = match text.chars().next()? {
            'M' => Level::Milestone,
            'T' => Level::Task,
            'S' => Level::Step,
            _ => return None,
        };
        let numbers: Vec<u32> = text[1..]
            .split('.')
            .map(|n| match n.starts_with('0') && n.len() > 1 || n.len() > DIGITS {
                true => None,
                false => n.parse().ok(),
            })
            .collect::<Option<_>>()?;
        let wanted = level as usize + 1;
        (numbers.len() == wanted).then_some(ItemId { level, numbers })
    }

    /// Its level.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Its first number: the milestone that it belongs to.
    pub fn milestone_number(&self) -> u32 {
        self.numbers.first().copied().unwrap_or_default()
    }

    /// Whether this item is a direct child of `parent`.
    pub fn is_child_of(&self, parent: &ItemId) -> bool {
        self.level != parent.level
            && self.numbers.len() == parent.numbers.len() + 1
            && self.numbers.starts_with(&parent.numbers)
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.level {
            Level::Milestone => "M",
            Level::Task => "T",
            Level::Step => "S",
        })?;
        for (at, number) in self.numbers.iter().enumerate() {
            if at > 0 {
                f.write_str(".")?;
            }
            write!(f, "{number}")?;
        }
        Ok(())
    }
}

impl TryFrom<String> for ItemId {
    type Error = String;

    fn try_from(text: String) -> Result<ItemId, String> {
        ItemId::parse(&text).ok_or_else(|| format!("`{text}` is no item id (M1, T1.2, S1.2.3)"))
    }
}

impl From<ItemId> for String {
    fn from(id: ItemId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_whole() {
        for good in ["M0", "M12", "T1.1", "T1.10", "S1.2.3"] {
            assert_eq!(ItemId::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            "M",
            "T1",
            "S1.1",
            "X1",
            "M1.1",
            "T1.a",
            "T01.1",
            "T-1.1",
            "T1.1 ",
            "é1",
            "M4294967295",
        ] {
            assert!(ItemId::parse(bad).is_none(), "{bad}");
        }
        assert_ne!(ItemId::parse("T1.1"), ItemId::parse("T1.10"));
        assert!(ItemId::parse("T1.10").unwrap().is_child_of(&ItemId::parse("M1").unwrap()));
        assert!(!ItemId::parse("T11.0").unwrap().is_child_of(&ItemId::parse("M1").unwrap()));
    }
}
