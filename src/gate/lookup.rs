//! Questions about a name that the gate passes on to the downstream servers: asked of the shadow with the base on it, while
//! nothing else is shown there.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::GateError;
use super::gate::Gate;
use super::stage::{Found, Lookup, Wanted};
use crate::workspace::{ChangeSet, OpenTexts, RelPath};

/// How long a server may take, starting it and loading the project included.
const DEADLINE: Duration = Duration::from_secs(90);

/// The edits of a rename, with the hash of each text that they were made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renamed {
    /// By byte offsets.
    pub change: ChangeSet,
    /// SHA-256, lower hex.
    pub bases: BTreeMap<RelPath, String>,
}

impl Gate {
    /// What the language servers say of a name, on the disk with `open` laid over it. The inner error is what is missing, in
    /// words: a server, the name, an answer.
    ///
    /// # Errors
    /// When the gate itself cannot work.
    pub async fn look_up(
        &self,
        lookup: &Lookup,
        open: &OpenTexts,
    ) -> Result<Result<Found, String>, GateError> {
        let Some(language) = self.languages.for_path(&lookup.path) else {
            return Ok(Err(format!("no language server is known for {}", lookup.path)));
        };
        let base = self.layout(open).await?;
        if !base.tree.files.contains_key(&lookup.path) {
            return Ok(Err(format!("there is no file {}", lookup.path)));
        }
        // Held until the answer is there: what is proved meanwhile would show the servers another text.
        let bench = self.bench().await?;
        bench.show_base(&base).await?;
        let Some(servers) = bench.servers() else {
            return Ok(Err("this needs a language server, and none is set up".to_owned()));
        };
        Ok(servers.look_up(language, lookup, DEADLINE).await)
    }

    /// The edits that give a symbol a new name everywhere.
    ///
    /// # Errors
    /// As [`Gate::look_up`].
    pub(super) async fn rename(
        &self,
        path: &RelPath,
        symbol: &str,
        line: Option<usize>,
        to: &str,
        open: &OpenTexts,
    ) -> Result<Result<Renamed, String>, GateError> {
        let wanted = Wanted::Rename(to.to_owned());
        let lookup = Lookup { path: path.clone(), symbol: symbol.to_owned(), line, wanted };
        Ok(match self.look_up(&lookup, open).await? {
            Ok(Found::Change { change, bases }) => Ok(Renamed { change, bases }),
            Ok(_) => Err(format!("the server has no edits that rename `{symbol}`")),
            Err(why) => Err(why),
        })
    }
}
