//! `orchestrator demo`: a whole mission of all four roles on a small project in a temporary folder.
//!
//! The conversation is a replay and is said to be one; everything else is real: the loop, the journal, the gate with the
//! compiler (and the language server, where there is one), the files. One of the replayed edits is wrong on purpose.

use std::path::Path;

use super::paint::Colour;
use super::watch::{self, Output};
use super::{CliError, asynchronously, environment, verify};
use crate::mission::Mode;
use crate::model::{self, ModelSettings};
use crate::runtime::{Handle, Settings, Wake};

const GOAL: &str = "Add --ignore-case, and sort words of equal count by name";

/// The project, and the conversation.
const FILES: &[(&str, &str)] = &[
    (".gitignore", include_str!("../../tests/fixtures/demo/.gitignore")),
    ("Cargo.toml", include_str!("../../tests/fixtures/demo/Cargo.toml")),
    ("Cargo.lock", include_str!("../../tests/fixtures/demo/Cargo.lock")),
    ("README.md", include_str!("../../tests/fixtures/demo/README.md")),
    ("src/count.rs", include_str!("../../tests/fixtures/demo/src/count.rs")),
    ("src/lib.rs", include_str!("../../tests/fixtures/demo/src/lib.rs")),
    ("src/main.rs", include_str!("../../tests/fixtures/demo/src/main.rs")),
    ("src/options.rs", include_str!("../../tests/fixtures/demo/src/options.rs")),
    ("src/report.rs", include_str!("../../tests/fixtures/demo/src/report.rs")),
];
const REPLAY: &str = include_str!("../../tests/fixtures/demo/replay.json");

pub(super) fn demo(keep: bool, out: &Output) -> Result<u8, CliError> {
    let folder =
        tempfile::Builder::new().prefix("orchestrator-demo-").tempdir().map_err(environment)?;
    let root = folder.path().join("tally");
    lay_out(&root)?;
    let script = folder.path().join("replay.json");
    std::fs::write(&script, REPLAY).map_err(environment)?;
    let root = root.canonicalize().map_err(environment)?;
    introduce(&root, out);

    let mut settings = Settings { wake: Wake::Inherited, ..Settings::default() };
    settings.gate.cache_dir = Some(folder.path().join("cache"));
    settings.models = model::Settings {
        default: Some(ModelSettings {
            model: Some(format!("replay:{}", script.display())),
            ..ModelSettings::default()
        }),
        ..model::Settings::default()
    };
    let code = asynchronously(async {
        let handle = Handle::open(&root, settings, None)?;
        let id = handle.start(GOAL, Mode::Task)?;
        let code = watch::follow(&handle, &[id], out).await;
        handle.stop();
        code
    })?;
    out.say("");
    out.say("The receipts, checked offline:");
    let verified = verify::verify(&root, None, false, out)?;
    if keep {
        let kept = folder.keep();
        out.say(&format!("\nThe project is kept in {}", kept.join("tally").display()));
    }
    Ok(if code == 0 { verified } else { code })
}

fn introduce(root: &Path, out: &Output) {
    out.say(&format!("A mission on a small Rust project, copied to {}", root.display()));
    out.say(&format!("Goal: {}", out.paint.paint(Colour::Bold, GOAL)));
    out.say("The conversation is a REPLAY: no model is asked. The gate, the compiler and the files are real,");
    out.say("and one of the replayed edits is wrong: watch the gate refuse it and the worker mend it.\n");
}

fn lay_out(root: &Path) -> Result<(), CliError> {
    for (path, text) in FILES {
        let path = root.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(environment)?;
        }
        std::fs::write(path, text).map_err(environment)?;
    }
    Ok(())
}
