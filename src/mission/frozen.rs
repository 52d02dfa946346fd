//! A mission's state as a text, so that a long mission need not be folded from its first event again.
//!
//! It is a copy: the events stay the truth, and whoever cannot read the copy folds them. It is read only by the version
//! that wrote it, for another one may fold the same events to another state.

use serde::{Deserialize, Serialize};

use super::rules::RULES;
use super::state::Mission;

#[derive(Serialize, Deserialize)]
struct Frozen<M> {
    version: String,
    rules: u32,
    mission: M,
}

fn version() -> String {
    env!("CARGO_PKG_VERSION").to_owned()
}

/// The state as JSON.
///
/// # Errors
/// When a value in it has no JSON, which none has that came from an event.
pub fn freeze(mission: &Mission) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Frozen { version: version(), rules: RULES, mission })
}

/// The state that [`freeze`] wrote; `None` where another version wrote it, or another program.
pub fn thaw(text: &str) -> Option<Mission> {
    let frozen: Frozen<Mission> = serde_json::from_str(text).ok()?;
    (frozen.version == version() && frozen.rules == RULES).then_some(frozen.mission)
}

/// Maps whose keys are no texts, as lists of pairs.
pub(super) mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<K, V, S>(map: &BTreeMap<K, V>, to: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        to.collect_seq(map)
    }

    pub fn deserialize<'a, K, V, D>(from: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'a> + Ord,
        V: Deserialize<'a>,
        D: Deserializer<'a>,
    {
        Vec::deserialize(from).map(|pairs: Vec<(K, V)>| pairs.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MissionId;

    #[test]
    fn what_another_version_wrote_is_not_read() {
        let text = freeze(&Mission::new(MissionId("m".into()))).unwrap();
        assert_eq!(thaw(&text).unwrap().id.0, "m");
        let other = format!("\"rules\":{RULES}");
        assert!(text.contains(&other));
        assert_eq!(thaw(&text.replace(&other, "\"rules\":99999")), None);
        assert_eq!(thaw(&text.replace(env!("CARGO_PKG_VERSION"), "0.0.0")), None);
        assert_eq!(thaw("{}"), None);
    }
}
