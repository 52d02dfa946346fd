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

/// How a file is laid out, in the words of the table; its name, and its first lines and its function with a number.
struct Layout {
    name: &'static str,
    path: &'static str,
    /// Functions that stand in one type; 0: all stand alone, one beside the other, which costs a parser most.
    methods: usize,
    head: fn(usize) -> String,
    function: fn(usize) -> String,
}

const LAYOUTS: [Layout; 4] = [
    Layout { name: "Rust", path: "big.rs", methods: 10, head: implementation, function: rust },
    Layout {
        name: "Rust, flat",
        path: "flat.rs",
        methods: 0,
        head: implementation,
        function: rust,
    },
    Layout {
        name: "TypeScript",
        path: "big.ts",
        methods: 10,
        head: namespace,
        function: typescript,
    },
    Layout {
        name: "TypeScript, flat",
        path: "flat.ts",
        methods: 0,
        head: namespace,
        function: typescript,
    },
];

impl Layout {
    fn text(&self) -> String {
        let mut text = String::new();
        for number in 0..LINES / 8 {
            let begins = self.methods > 0 && number % self.methods == 0;
            if begins {
                text.push_str(&(self.head)(number));
            }
            text.push_str(&(self.function)(number));
            if self.methods > 0 && number % self.methods == self.methods - 1 {
                text.push_str("}\n");
            }
        }
        text
    }
}

/// Milliseconds of the stages syntax and rules together, by language: median and 99th percentile.
pub async fn cheap_stages(folder: &Path) -> Result<Vec<(String, f64, &'static str)>, CliError> {
    let mut figures = Vec::new();
    for layout in LAYOUTS {
        let root = folder.join(format!("lines-{}", layout.path));
        std::fs::create_dir_all(&root).map_err(environment)?;
        std::fs::write(root.join(layout.path), layout.text()).map_err(environment)?;
        let mut times = times(&root, layout.path, folder).await?;
        for (label, q) in [("p50", 0.5), ("p99", 0.99)] {
            let what = format!("syntax and rules, 10,000 lines of {}, {label}", layout.name);
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

fn implementation(number: usize) -> String {
    format!("pub struct Type{number};\n\nimpl Type{number} {{\n")
}

fn namespace(number: usize) -> String {
    format!("export namespace Type{number} {{\n")
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
