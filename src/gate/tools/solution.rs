//! A `tsconfig.json` that has no files of its own and refers to other projects (a "solution"): tsc looks at nothing there,
//! so that each of those is asked about in its place.

use serde::Deserialize;

use super::{Answered, Found, Runner, rel_path, tsc};
use crate::gate::diagnostic::{Diagnostic, Range, Severity};
use crate::gate::language::ToolSpec;
use crate::workspace::path::RelPath;

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default)]
    references: Vec<Reference>,
}

#[derive(Debug, Deserialize)]
struct Reference {
    path: String,
}

impl Runner {
    /// What tsc says of the projects that the one in `folder` refers to; `own` is what it said of that one.
    pub(super) async fn ask_references(
        &self,
        spec: &ToolSpec,
        folder: &str,
        own: Answered,
    ) -> Result<Answered, String> {
        let mut all = own;
        for reference in self.references(spec, folder).await? {
            let Some(config) = self.config(folder, &reference.path) else {
                continue;
            };
            let ended = self.run(&with(spec, &["-p", &reference.path]), folder).await?;
            match tsc::read(&self.root, folder, config.as_str(), &ended) {
                Ok(answered) => {
                    all.found.extend(answered.found);
                    all.units.extend(answered.units);
                    all.covered.extend(answered.covered);
                    all.blind = all.blind.or(answered.blind);
                }
                Err(reason) => all.found.push(about(config, reason)),
            }
        }
        // What belongs to several projects is said by each.
        let mut seen = Vec::new();
        all.found.retain(|found| {
            let is_new = !seen.contains(&found.diagnostic);
            seen.push(found.diagnostic.clone());
            is_new
        });
        Ok(all)
    }

    async fn references(&self, spec: &ToolSpec, folder: &str) -> Result<Vec<Reference>, String> {
        let shown = self.run(&with(spec, &["--showConfig"]), folder).await?;
        // Only a project without files of its own is asked, and such a one may have no references either.
        let config = serde_json::from_str::<Config>(&shown.stdout);
        Ok(config.map(|config| config.references).unwrap_or_default())
    }

    /// The project file that a reference means.
    fn config(&self, folder: &str, reference: &str) -> Option<RelPath> {
        let named = rel_path(&self.root, folder, reference)?;
        if named.in_root(&self.root).is_dir() {
            return RelPath::new(&format!("{named}/tsconfig.json")).ok();
        }
        Some(named)
    }
}

fn with(spec: &ToolSpec, more: &[&str]) -> ToolSpec {
    let more = more.iter().map(|word| (*word).to_owned());
    ToolSpec { command: spec.command.iter().cloned().chain(more).collect(), ..spec.clone() }
}

/// A project that gives no answer is an error of its description: one that a change brings about refuses.
fn about(config: RelPath, reason: String) -> Found {
    let unit = config.to_string();
    let diagnostic = Diagnostic {
        path: config,
        range: Range::default(),
        severity: Severity::Error,
        code: None,
        message: reason,
        source: "tsc".to_owned(),
        remedies: Vec::new(),
    };
    Found { diagnostic, unit }
}
