//! What has a name, and where it is used: the places of the name in the syntax trees, parted by the language servers'
//! references. A name of several things is one entry for each of them.
//!
//! Where no server answers, all places count as one thing's: too much, and never too little.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::names::{Lines, stand};
use crate::gate::error::GateError;
use crate::gate::gate::Gate;
use crate::gate::stage::{Found, Lookup, ServerStage, Wanted};
use crate::workspace::{OpenTexts, RelPath};

/// How long the servers may take for all names; the first task is at work meanwhile.
const DEADLINE: Duration = Duration::from_secs(30);
/// So many places of one name are asked about: one with more things is a word of the project.
const ASKED: usize = 8;

/// The places of one thing.
type Thing = BTreeSet<(RelPath, usize)>;

impl Gate {
    /// For each of `names` the things of the tree, with `open` laid over it, that have it, each with the files in which
    /// it is declared and used. A name that stands nowhere, or nearly everywhere, is left out.
    ///
    /// # Errors
    /// When the workspace cannot be read, or the gate cannot work.
    pub async fn uses(
        &self,
        names: Vec<String>,
        open: &OpenTexts,
    ) -> Result<BTreeMap<String, Vec<Vec<String>>>, GateError> {
        let (workspace, texts) = (self.workspace().clone(), open.clone());
        let task = tokio::task::spawn_blocking(move || stand(&workspace, &texts, &names));
        let found = task.await.map_err(GateError::internal)??;
        let all = |(name, lines): (&String, &Lines)| (name.clone(), vec![paths(lines.keys())]);
        let mut uses: BTreeMap<String, Vec<Vec<String>>> = found.iter().map(all).collect();
        let shared: Vec<_> = found.iter().filter(|(_, lines)| lines.len() > 1).collect();
        if shared.is_empty() {
            return Ok(uses);
        }
        let base = self.layout(open).await?;
        // Held until the answers are there: what is proved meanwhile would show the servers another text.
        let bench = self.bench().await?;
        bench.show_base(&base).await?;
        let end = Instant::now() + DEADLINE;
        if let Some(servers) = bench.servers() {
            for (name, lines) in shared {
                if let Some(things) = self.things(servers.as_ref(), name, lines, end).await {
                    let files = |thing: &Thing| paths(thing.iter().map(|(path, _)| path));
                    uses.insert(name.clone(), things.iter().map(files).collect());
                }
            }
        }
        Ok(uses)
    }

    /// The things that stand in `lines` under one name; `None` where the servers do not say.
    async fn things(
        &self,
        servers: &dyn ServerStage,
        name: &str,
        lines: &Lines,
        end: Instant,
    ) -> Option<Vec<Thing>> {
        let places = || lines.iter().flat_map(|(path, at)| at.iter().map(move |at| (path, *at)));
        let mut things: Vec<Thing> = Vec::new();
        for _ in 0..ASKED {
            let known = |(path, at): &(&RelPath, usize)| {
                things.iter().any(|thing| thing.contains(&((*path).clone(), *at)))
            };
            let Some((path, line)) = places().find(|place| !known(place)) else {
                return Some(things);
            };
            let left = end.checked_duration_since(Instant::now())?;
            let lookup = Lookup {
                path: path.clone(),
                symbol: name.to_owned(),
                line: Some(line),
                wanted: Wanted::References,
            };
            let language = self.languages.for_path(path)?;
            let Ok(Found::Spots { inside, .. }) = servers.look_up(language, &lookup, left).await
            else {
                return None;
            };
            // A place of which the server does not know what stands there may be anything's.
            if inside.is_empty() {
                return None;
            }
            let thing = inside.into_iter().map(|spot| (spot.path, spot.line));
            things.push(thing.chain([(path.clone(), line)]).collect());
        }
        None
    }
}

/// Each once, in order.
fn paths<'a>(paths: impl Iterator<Item = &'a RelPath>) -> Vec<String> {
    let paths: BTreeSet<&RelPath> = paths.collect();
    paths.into_iter().map(ToString::to_string).collect()
}
