//! How long syntax and rules take on a file of 10,000 lines that is edited again and again, as an editor or an agent does.

use std::path::Path;

use super::super::super::{CliError, environment};
use super::super::quantile;
use crate::gate::{Gate, Settings, Stage};
use crate::workspace::{Change, ChangeSet, Edit, OpenTexts, RelPath};

/// Lines of the file.
const LINES: usize = 10_000;
/// Edits that are timed.
const EDITS: usize = 40;

/// Milliseconds of the stages syntax and rules together, by language: median and 99th percentile.
pub async fn cheap_stages(folder: &Path) -> Result<Vec<(String, f64, &'static str)>, CliError> {
    let mut figures = Vec::new();
    for (name, path, function) in
        [("Rust", "big.rs", rust as fn(usize) -> String), ("TypeScript", "big.ts", typescript)]
    {
        let root = folder.join(format!("big-{name}"));
        std::fs::create_dir_all(&root).map_err(environment)?;
        let text: String = (0..LINES / 8).map(function).collect();
        std::fs::write(root.join(path), &text).map_err(environment)?;
        let mut times = times(&root, path, folder).await?;
        for (label, q) in [("p50", 0.5), ("p99", 0.99)] {
            let what = format!("syntax and rules, 10,000 lines of {name}, {label}");
            figures.push((what, quantile(&mut times, q), "ms"));
        }
    }
    Ok(figures)
}

async fn times(root: &Path, path: &str, folder: &Path) -> Result<Vec<f64>, CliError> {
    let cache = folder.join("cache");
    let settings = Settings { cache_dir: Some(cache), ..Settings::default() };
    let gate = Gate::open(root, settings).map_err(environment)?;
    let path = RelPath::new(path).map_err(environment)?;
    let mut times = Vec::new();
    // The first one fills the caches, as the file's opening would.
    for number in 0..=EDITS {
        let function = number * 29 % (LINES / 8);
        let old = format!("let seen_{function} = ");
        let edit = Edit::Text { old: old.clone(), new: format!("{old}1 + ") };
        let change = Change::Edit { path: path.clone(), edits: vec![edit] };
        let change = ChangeSet { changes: vec![change] };
        let checked = gate.check(&change, &OpenTexts::new()).await.map_err(environment)?;
        let cheap = checked
            .report
            .stages
            .iter()
            .filter(|s| [Stage::Syntax, Stage::Rules].contains(&s.stage));
        let us: u64 = cheap.map(|stage| stage.us).sum();
        if number > 0 {
            times.push(us as f64 / 1000.0);
        }
    }
    Ok(times)
}

/// A function of eight lines.
fn rust(number: usize) -> String {
    format!(
        "/// Function {number}.\npub fn function_{number}(count: usize, name: &str) -> usize {{\n    let seen_{number} = count + name.len();\n    \
         if seen_{number} > {number} {{\n        return seen_{number};\n    }}\n    seen_{number} * 2\n}}\n"
    )
}

fn typescript(number: usize) -> String {
    format!(
        "/** Function {number}. */\nexport function function{number}(count: number, name: string): number {{\n  let seen_{number} = count + name.length;\n  \
         if (seen_{number} > {number}) {{\n    return seen_{number};\n  }}\n  return seen_{number} * 2;\n}}\n"
    )
}
