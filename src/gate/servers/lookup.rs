//! Questions about a name: its definition, its references, what a hover says, a new name for it.
//!
//! The name is found in the very text that the server has, after the server was proved to look at it. It must not know who
//! asks, nor what a rename is good for.

use std::collections::BTreeSet;
use std::time::Duration;

use lsp_types::Position;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::Servers;
use super::actions::change_set;
use super::client::CallError;
use super::session::{Session, Trouble};
use super::text::Text;
use crate::gate::code::spot::spots;
use crate::gate::diagnostic::Place;
use crate::gate::language::{DiagnosticsBy, Language};
use crate::gate::stage::{Found, Lookup, Overlay, Spot, Wanted};
use crate::wire::code;
use crate::workspace::hash::sha256;
use crate::workspace::path::RelPath;

/// So often a question is put to a server that begins to load under it.
const TRIES: usize = 5;
/// So many places of one name a rename is asked about, at most.
const SPOTS: usize = 8;

impl Servers {
    /// What the language's first server that can says of a name of the base.
    ///
    /// # Errors
    /// What is missing, in words: no server, no such name, no answer in time.
    pub async fn look_up(
        &self,
        language: &Language,
        lookup: &Lookup,
        deadline: Duration,
    ) -> Result<Found, String> {
        let mut reasons = Vec::new();
        for spec in &language.servers {
            let question = async {
                let (mut slot, _asking) = self.enter(language, spec).await;
                let own = std::sync::Arc::downgrade(OwnedMutexGuard::mutex(&slot));
                let session = slot.begin(&self.around, own).await?;
                let _shared = self.around.disk.read().await;
                let found = session.look_up(lookup).await;
                slot.end(found.as_ref().err());
                Ok::<_, String>(found)
            };
            match tokio::time::timeout(deadline, question).await {
                Ok(Ok(Ok(found))) => return Ok(found),
                Ok(Ok(Err(trouble))) if is_unable(&trouble) => reasons.push(trouble.to_string()),
                Ok(Ok(Err(trouble))) => return Err(trouble.to_string()),
                Ok(Err(reason)) => reasons.push(reason),
                Err(_) => return Err(format!("{} did not answer within {deadline:?}", spec.name)),
            }
        }
        if reasons.is_empty() {
            reasons.push(format!("no language server is known for {}", language.name));
        }
        Err(reasons.join("; "))
    }
}

/// Whether it is not for want of an answer that the next server should be asked.
fn is_unable(trouble: &Trouble) -> bool {
    matches!(trouble, Trouble::Call(CallError::Refused { error, .. }) if error.code == code::METHOD_NOT_FOUND)
}

impl Session {
    async fn look_up(&mut self, lookup: &Lookup) -> Result<Found, Trouble> {
        let file = std::slice::from_ref(&lookup.path);
        for _ in 0..TRIES {
            self.loaded().await?;
            if self.spec.diagnostics == DiagnosticsBy::Push {
                self.told(&Overlay::new(), file).await?;
            } else {
                self.prove(&Overlay::new(), file).await?;
            }
            self.show(&Overlay::new(), file).await?;
            let found = self.answer(lookup).await?;
            if self.is_settled() {
                return Ok(found);
            }
        }
        Err(Trouble::Unfit(format!("{} loads the project again and again", self.name())))
    }

    async fn answer(&mut self, lookup: &Lookup) -> Result<Found, Trouble> {
        let Lookup { path, symbol, line, wanted } = lookup;
        let text = self.text(path).ok_or_else(|| unfit(format!("there is no file {path}")))?;
        let spots = spots(path, &text, symbol, *line).map_err(unfit)?;
        let position = |at: usize| Text::new(&text).position(place(&text, at), self.encoding());
        let first = spots.first().copied().unwrap_or_default();
        let at = at(self.uri(path), position(first));
        match wanted {
            Wanted::Definition => {
                Ok(self.spots(&self.patiently("textDocument/definition", at).await?))
            }
            Wanted::References => {
                let mut params = at;
                params["context"] = json!({ "includeDeclaration": true });
                Ok(self.spots(&self.patiently("textDocument/references", params).await?))
            }
            Wanted::Hover => {
                let said = self.patiently("textDocument/hover", at).await?;
                Ok(Found::Text(words(&said["contents"])))
            }
            Wanted::Rename(to) => {
                let positions: Vec<Position> = spots.iter().map(|at| position(*at)).collect();
                self.rename(lookup, &positions, name_at(&text, first), to).await
            }
        }
    }

    /// The one rename that is meant: where the name stands more than once, each of its places must ask for the same.
    async fn rename(
        &mut self,
        lookup: &Lookup,
        positions: &[Position],
        name: &str,
        to: &str,
    ) -> Result<Found, Trouble> {
        let unclear = || {
            let path = &lookup.path;
            unfit(format!(
                "`{name}` stands for several things in {path}; give the `line` of the one"
            ))
        };
        if positions.len() > SPOTS {
            return Err(unclear());
        }
        let mut meant = None;
        for position in positions {
            let (path, position) = self.declared(&lookup.path, *position, name).await?;
            self.show(&Overlay::new(), std::slice::from_ref(&path)).await?;
            let mut params = at(self.uri(&path), position);
            params["newName"] = to.into();
            let edit = self.patiently("textDocument/rename", params).await?;
            let change = change_set(self, &edit).ok_or_else(|| {
                unfit(format!("{} does not rename `{name}` by edits of texts alone", self.name()))
            })?;
            if meant.as_ref().is_some_and(|meant| *meant != change) {
                return Err(unclear());
            }
            meant = Some(change);
        }
        let change = meant.ok_or_else(unclear)?;
        let base = |path: &_| self.text(path).map(|text| sha256(text.as_bytes()));
        let bases = change.changes.iter().map(|change| change.path());
        let bases = bases.filter_map(|path| Some((path.clone(), base(path)?))).collect();
        Ok(Found::Change { change, bases })
    }

    /// Where the name is declared, if the workspace has it under that name, else the place itself: from a place that only
    /// imports it, some servers would rename the import alone.
    async fn declared(
        &self,
        path: &RelPath,
        position: Position,
        name: &str,
    ) -> Result<(RelPath, Position), Trouble> {
        let asked = at(self.uri(path), position);
        let said = self.patiently("textDocument/definition", asked).await?;
        let found = locations(&said);
        if let [(uri, start)] = found.as_slice()
            && let Some(path) = self.path(uri)
            && let Some(text) = self.text(&path)
            && name_at(&text, Text::new(&text).offset(*start, self.encoding())) == name
        {
            return Ok((path, *start));
        }
        Ok((path.clone(), position))
    }

    /// The lines of some locations, each once.
    fn spots(&self, said: &Value) -> Found {
        let (mut inside, mut outside) = (BTreeSet::new(), BTreeSet::new());
        for (uri, start) in locations(said) {
            let line = start.line as usize + 1;
            match self.path(&uri) {
                Some(path) => inside.insert((path, line)),
                None => outside.insert(format!("{uri}:{line}")),
            };
        }
        let spot = |(path, line): (RelPath, usize)| {
            let text = self.text(&path).unwrap_or_default();
            let text = text.lines().nth(line - 1).unwrap_or_default().trim().to_owned();
            Spot { path, line, text }
        };
        let inside = inside.into_iter().map(spot).collect();
        Found::Spots { inside, outside: outside.into_iter().collect() }
    }
}

fn at(uri: String, position: Position) -> Value {
    json!({ "textDocument": { "uri": uri }, "position": position })
}

/// Where a location begins, or each of some, or of links to some.
fn locations(said: &Value) -> Vec<(String, Position)> {
    let one = said.is_object().then(|| std::slice::from_ref(said));
    let all = one.or_else(|| said.as_array().map(Vec::as_slice)).unwrap_or_default();
    let read = |location: &Value| {
        let uri = location["uri"].as_str().or_else(|| location["targetUri"].as_str())?;
        let range = [&location["range"], &location["targetSelectionRange"]];
        let start = &range.into_iter().find(|range| range.is_object())?["start"];
        Some((uri.to_owned(), Position::deserialize(start).ok()?))
    };
    all.iter().filter_map(read).collect()
}

/// The name that begins at an offset.
fn name_at(text: &str, at: usize) -> &str {
    let rest = text.get(at..).unwrap_or_default();
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    &rest[..end.unwrap_or(rest.len())]
}

fn unfit(why: String) -> Trouble {
    Trouble::Unfit(why)
}

fn place(text: &str, at: usize) -> Place {
    let before = &text[..at];
    let line = before.matches('\n').count();
    let column = at - before.rfind('\n').map_or(0, |end| end + 1);
    let number = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Place { line: number(line), column: number(column) }
}

/// What a hover says, in any of the shapes that the protocol has for it.
fn words(contents: &Value) -> String {
    match contents {
        Value::String(text) => text.clone(),
        Value::Array(all) => all.iter().map(words).collect::<Vec<_>>().join("\n"),
        other => other["value"].as_str().unwrap_or_default().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hover_has_many_shapes() {
        assert_eq!(words(&json!("a")), "a");
        assert_eq!(words(&json!({ "kind": "markdown", "value": "b" })), "b");
        assert_eq!(words(&json!(["a", { "language": "ts", "value": "b" }])), "a\nb");
        assert_eq!(words(&Value::Null), "");
    }

    #[test]
    fn a_location_has_many_shapes() {
        let range =
            json!({ "start": { "line": 1, "character": 2 }, "end": { "line": 1, "character": 3 } });
        let place = json!({ "uri": "file:///a", "range": range });
        let link =
            json!({ "targetUri": "file:///a", "targetRange": {}, "targetSelectionRange": range });
        let want = vec![("file:///a".to_owned(), Position { line: 1, character: 2 })];
        for said in [place.clone(), json!([place]), json!([link])] {
            assert_eq!(locations(&said), want, "{said}");
        }
        for odd in [Value::Null, json!([]), json!([1, { "uri": 1 }, { "uri": "a", "range": {} }])] {
            assert!(locations(&odd).is_empty(), "{odd}");
        }
    }

    #[test]
    fn a_name_ends_where_its_letters_do() {
        assert_eq!(name_at("a.größe_2()", 2), "größe_2");
        assert_eq!(name_at("a", 7), "");
    }

    #[test]
    fn places_count_bytes() {
        assert_eq!(place("a\nüb", 4), Place { line: 1, column: 2 });
        assert_eq!(place("ab", 1), Place { line: 0, column: 1 });
    }
}
