//! Everything that can be set, composed of what each floor says of itself, and read from file and environment.
//!
//! Only the user's own file and environment are read: nothing in a workspace can point a model, and so a key, elsewhere.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::extensions::trust::Trust;
use crate::memory::Tier;
use crate::mission::Context;
use crate::mission::conversation::Role;
use crate::mission::fuel::{Limits, Prices};
use crate::tools::fetch;
use crate::{gate, model, telemetry};

/// The runtime's settings.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What a mission may spend.
    pub limits: Limits,
    /// The models, per role.
    pub models: model::Settings,
    /// How the gate works.
    pub gate: gate::Settings,
    /// How long a seal may look for slips that no check notices; `None`: not at all.
    pub mutants: Option<Duration>,
    /// When the project's tests are run.
    pub tests: TestsWhen,
    /// Which ended missions stay in the journal.
    pub keep: Keep,
    /// Which unfinished missions go on by themselves.
    pub wake: Wake,
    /// What becomes of a mission that is to begin while another one runs.
    pub second: Second,
    /// Whether, and where, pages of the web are read.
    pub fetch: fetch::Settings,
    /// The user's own folder of this product: beside their configuration lie their plugins, and what they trust.
    pub own: Option<PathBuf>,
    /// Whether, and where to, spans are sent.
    pub telemetry: telemetry::Resolved,
    /// Whether log files are written.
    pub log: telemetry::FileSettings,
}

/// Which unfinished missions a process lets go on by itself, once it owns the workspace.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Wake {
    /// None but those that it is told something.
    None,
    /// Those of an owner that it attached to and that has gone: their followers wait for them.
    #[default]
    Inherited,
    /// All.
    All,
}

/// What becomes of a mission that is to begin while another one runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Second {
    /// It runs beside the other, one change-set at a time.
    #[default]
    Beside,
    /// It is refused, and the other one named.
    Refuse,
}

/// When the project's tests are run. Before a mission, and at its seal, they always are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestsWhen {
    /// After each task as well.
    #[default]
    EachTask,
    /// Only then: for suites that take many minutes.
    AtTheSeal,
}

/// `[journal]`: which ended missions stay in the journal. The others move to `.opencode/archive/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Keep {
    /// Days after its last event for which an ended mission stays in the journal.
    pub keep_days: u64,
    /// The most ended missions that stay there; the others are archived.
    pub keep_missions: usize,
}

impl Default for Keep {
    fn default() -> Keep {
        Keep { keep_days: 30, keep_missions: 100 }
    }
}

/// Why the settings could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("failed to read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("{path} is not understood: {source}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: Box<toml::de::Error>,
    },
    /// The editor says something that is not understood.
    #[error("the editor's settings of orchestrator are not understood: {0}")]
    Editor(String),
    /// Spans cannot be sent in that way.
    #[error("{0}; mend it, or take it out to send nothing")]
    Telemetry(String),
    /// A variable of the environment is wrong.
    #[error(transparent)]
    Model(#[from] model::ModelError),
}

/// What can be set, as it is written: in the user's file, and in an editor's own settings. The schema, the tables of
/// docs/configuration.md, the settings of the VS Code extension and the types of the Neovim plugin are made of this.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct File {
    /// What one mission may spend.
    limits: Limits,
    /// How many requests may be under way at once, over all sessions and missions of a process.
    slots: model::SlotSettings,
    /// Several missions at a time.
    missions: Missions,
    /// Tests, and what is looked at once all is green.
    seal: Seal,
    /// Which ended missions stay at hand.
    journal: Keep,
    /// What sessions are told, and when their conversations are cut.
    memory: Memory,
    /// Who is asked, in every role.
    model: Option<model::ModelSettings>,
    /// What of that is another for a role.
    roles: std::collections::BTreeMap<crate::mission::conversation::Role, model::ModelSettings>,
    /// What models cost, by their names, in US dollars per million tokens. A `price` of `[model]` or of a role goes before.
    prices: std::collections::BTreeMap<String, model::Price>,
    /// Pages of the web.
    fetch: fetch::Settings,
    /// Spans for a collector.
    telemetry: telemetry::Settings,
    /// Log files.
    log: telemetry::FileSettings,
    /// Languages, servers and tools.
    gate: gate::languages::Additions,
}

/// `[missions]`, as it is written.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Missions {
    /// A mission that is begun before another has ended.
    second: Second,
}

/// `[memory]`, as it is written: what sessions are told of what is remembered, and when their conversations are cut.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Memory {
    /// Sessions are told what the project's files say and what was noted; without it there is no `note`.
    recall: bool,
    /// Tokens of a conversation at which its oldest results give way to notes; 0: only when the model says that it is too
    /// long.
    high: u32,
    /// About how many tokens a cut leaves; at most half of `high`.
    low: u32,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory { recall: true, high: HIGH, low: LOW }
    }
}

/// The marks of a conversation, in tokens, chosen with `bench tokens`.
pub(crate) const HIGH: u32 = 30_000;
/// As [`HIGH`]; what is left after a cut stays within the tier of the task.
pub(crate) const LOW: u32 = 6_000;

/// `[seal]`, as it is written.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Seal {
    /// Seconds for mutants: slips in the changed lines that no check notices; 0 looks for none.
    mutants: u64,
    /// When the project's tests run, besides before the mission and at the seal.
    tests: TestsWhen,
}

impl Default for Seal {
    fn default() -> Seal {
        Seal { mutants: 20, tests: TestsWhen::EachTask }
    }
}

impl Settings {
    /// Reads the user's file, where there is one, and the environment over it.
    ///
    /// # Errors
    /// When the file or a variable is wrong; the message names it.
    pub fn load() -> Result<Settings, SettingsError> {
        Settings::load_under(None)
    }

    /// The same with what the person has set in their editor laid over the file: the same fields, as JSON.
    ///
    /// # Errors
    /// As [`Settings::load`], and when the editor's settings are wrong.
    pub fn load_under(editor: Option<&Value>) -> Result<Settings, SettingsError> {
        let lookup = |name: &str| std::env::var(name).ok().filter(|v| !v.is_empty());
        let file = match config_path(lookup) {
            Some(path) => read(&path, editor)?,
            None => laid_over(Value::Object(Map::new()), editor)?,
        };
        let models = model::Settings { default: file.model, roles: file.roles, slots: file.slots };
        let models = priced(model::Settings::from_env(models, lookup)?, &file.prices);
        let mutants = Duration::from_secs(file.seal.mutants);
        let Memory { recall, high, low } = file.memory;
        // What a cut leaves stays within the tier of the task.
        let low = low.min(Tier::Task.budget() as u32);
        let context = Context { recall, high, low };
        Ok(Settings {
            limits: Limits { prices: prices(&models), context, ..file.limits },
            models,
            gate: gate::Settings { additions: file.gate, ..gate::Settings::default() },
            mutants: Some(mutants).filter(|time| !time.is_zero()),
            tests: file.seal.tests,
            keep: file.journal,
            wake: Wake::All,
            second: file.missions.second,
            fetch: file.fetch,
            own: own_folder(),
            telemetry: file.telemetry.from_env(lookup).map_err(SettingsError::Telemetry)?,
            log: file.log,
        })
    }
}

/// Gives every role whose model, or whose fallback, has no price of its own the one that stands in the table.
fn priced(
    mut models: model::Settings,
    table: &std::collections::BTreeMap<String, model::Price>,
) -> model::Settings {
    let of = |settings: model::ModelSettings| match settings.price {
        None => table.get(&settings.model?).copied(),
        Some(_) => None,
    };
    for role in Role::ALL {
        // The fallback first: it is told by where it stands, and a price of the role's makes settings of its own.
        if let Some(price) = models.fallback_for(role).and_then(of) {
            let own = models.roles.get_mut(&role).and_then(|own| own.fallback.as_mut());
            let default = models.default.as_mut().and_then(|base| base.fallback.as_mut());
            if let Some(fallback) = own.or(default) {
                fallback.price = Some(price);
            }
        }
        if let Some(price) = models.for_role(role).and_then(of) {
            models.roles.entry(role).or_default().price = Some(price);
        }
    }
    models
}

/// What the mission is told of prices: of a role's model and its fallback the dearer one, because either may be asked.
/// A replay costs nothing.
fn prices(models: &model::Settings) -> Prices {
    // US dollars per million tokens, in millionths. The cast saturates.
    let micro = |dollars: f64| (dollars * 1e6).round() as u64;
    let mut prices = Prices::default();
    let all = Role::ALL.into_iter().flat_map(|role| {
        let either = [models.for_role(role), models.fallback_for(role)];
        either.into_iter().flatten().map(move |settings| (role, settings))
    });
    for (role, settings) in all {
        let is_replay = settings.effective_provider() == model::Provider::Replay;
        let name = settings.model.unwrap_or_else(|| "the model".to_owned());
        match settings.price {
            Some(price) => {
                let dearest = prices.of.entry(role).or_default();
                dearest.input = dearest.input.max(micro(price.input));
                dearest.output = dearest.output.max(micro(price.output));
                let cached = micro(price.cached.unwrap_or(price.input));
                dearest.cached = dearest.cached.max(cached);
            }
            None if is_replay || prices.unknown.contains(&name) => {}
            None => prices.unknown.push(name),
        }
    }
    prices
}

/// The user's own folder of this product: where their configuration is.
pub fn own_folder() -> Option<PathBuf> {
    let path = config_path(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))?;
    path.parent().map(Path::to_path_buf)
}

/// What the user trusts of the workspace at `root`.
pub fn trust(root: &Path) -> Trust {
    Trust::new(own_folder().as_deref(), root)
}

/// `ORCHESTRATOR_CONFIG`, else `orchestrator/config.toml` in the platform's folder for configuration.
pub fn config_path(lookup: impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    if let Some(path) = lookup("ORCHESTRATOR_CONFIG") {
        return Some(PathBuf::from(path));
    }
    let folder = if cfg!(windows) {
        PathBuf::from(lookup("APPDATA")?)
    } else if let Some(folder) = lookup("XDG_CONFIG_HOME") {
        PathBuf::from(folder)
    } else {
        Path::new(&lookup("HOME")?).join(".config")
    };
    Some(folder.join("orchestrator").join("config.toml"))
}

fn parse(text: &str) -> Result<File, toml::de::Error> {
    let file: File = toml::from_str(text)?;
    // A mission's limits carry its prices, but nobody writes them there.
    match file.limits.prices.is_empty() {
        true => Ok(file),
        false => Err(serde::de::Error::custom("`limits.prices` is no field; write `[prices]`")),
    }
}

fn read(path: &Path, editor: Option<&Value>) -> Result<File, SettingsError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(SettingsError::Read { path: path.to_owned(), source }),
    };
    let misread = |source| SettingsError::Parse { path: path.to_owned(), source: Box::new(source) };
    let file = parse(&text).map_err(misread)?;
    match editor {
        None => Ok(file),
        Some(_) => laid_over(toml::from_str(&text).map_err(misread)?, editor),
    }
}

/// What the editor says in the place of what stands in the file, field by field.
fn laid_over(mut file: Value, editor: Option<&Value>) -> Result<File, SettingsError> {
    let wrong = |error: serde_json::Error| SettingsError::Editor(error.to_string());
    if let Some(editor) = editor {
        if !editor.is_object() {
            return Err(SettingsError::Editor("they are no object of sections".to_owned()));
        }
        // By itself, so that what is wrong is the editor's.
        let own: File = serde_json::from_value(editor.clone()).map_err(wrong)?;
        if !own.limits.prices.is_empty() {
            return Err(SettingsError::Editor("`limits.prices` is no field; set `prices`".into()));
        }
        lay(&mut file, editor);
    }
    serde_json::from_value(file).map_err(wrong)
}

fn lay(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}

/// What can be set, as a JSON schema (draft 2020-12).
pub fn schema() -> Value {
    schemars::schema_for!(File).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_read_and_a_slip_in_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(
            &path,
            "[limits]\ncalls = 7\n[seal]\nmutants = 3\ntests = \"at-the-seal\"\n[journal]\nkeep_days = 2\n[model]\nmodel = \"m\"\n[roles.worker]\nmodel = \"w\"\n",
        )
        .unwrap();
        let file = read(&path, None).unwrap();
        assert_eq!(file.limits.calls, 7);
        assert_eq!(file.limits.attempts, Limits::default().attempts);
        assert_eq!(file.roles.len(), 1);
        assert_eq!((file.seal.mutants, file.seal.tests), (3, TestsWhen::AtTheSeal));
        assert_eq!(file.journal, Keep { keep_days: 2, ..Keep::default() });
        std::fs::write(&path, "[limits]\ncals = 7\n").unwrap();
        assert!(read(&path, None).unwrap_err().to_string().contains("cals"));
        std::fs::write(&path, "[limits.prices]\nunknown = [\"m\"]\n").unwrap();
        assert!(read(&path, None).unwrap_err().to_string().contains("[prices]"));
        assert!(read(&folder.path().join("none.toml"), None).is_ok());
    }

    #[test]
    fn what_an_editor_says_goes_before_the_file_field_by_field() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(&path, "[limits]\ncalls = 7\nturns = 8\n[model]\nmodel = \"m\"\n").unwrap();
        let editor = serde_json::json!({ "limits": { "calls": 9 }, "roles": { "worker": { "model": "w" } } });
        let file = read(&path, Some(&editor)).unwrap();
        assert_eq!((file.limits.calls, file.limits.turns), (9, 8));
        assert_eq!(file.model.unwrap().model.as_deref(), Some("m"));
        assert_eq!(file.roles[&Role::Worker].model.as_deref(), Some("w"));
        for odd in [
            serde_json::json!({ "limits": { "cals": 9 } }),
            serde_json::json!({ "limits": { "prices": { "unknown": ["m"] } } }),
            serde_json::json!([]),
        ] {
            let error = read(&path, Some(&odd)).unwrap_err().to_string();
            assert!(error.starts_with("the editor's settings"), "{error}");
        }
    }

    #[test]
    fn a_model_has_the_price_of_its_role_or_of_the_table_or_none() {
        let file = parse(
            "[prices.\"m-1.5\"]\ninput = 3.0\noutput = 15\ncached = 0.3\n[model]\nmodel = \"m-1.5\"\n[roles.worker]\nprice = { input = 1 }\n[roles.reviewer]\nmodel = \"other\"\n",
        )
        .unwrap();
        let models = model::Settings {
            default: file.model,
            roles: file.roles,
            ..model::Settings::default()
        };
        let prices = prices(&priced(models, &file.prices));
        let of = |role| prices.of.get(&role).map(|price| (price.input, price.output, price.cached));
        assert_eq!(of(Role::Planner), Some((3_000_000, 15_000_000, 300_000)));
        assert_eq!(of(Role::Worker), Some((1_000_000, 0, 1_000_000)));
        assert_eq!(of(Role::Reviewer), None);
        assert_eq!(prices.unknown, ["other"]);
    }

    #[test]
    fn a_fallback_is_reckoned_with_as_well() {
        let file = parse(
            "[prices.cheap]\ninput = 1.0\noutput = 2.0\n[prices.dear]\ninput = 5.0\noutput = 20.0\n[model]\nmodel = \"cheap\"\n[model.fallback]\nmodel = \"dear\"\n[roles.worker]\nmodel = \"cheap\"\n[roles.worker.fallback]\nmodel = \"nobody knows\"\n",
        )
        .unwrap();
        let models = model::Settings {
            default: file.model,
            roles: file.roles,
            ..model::Settings::default()
        };
        let models = priced(models, &file.prices);
        let fallback = models.fallback_for(Role::Planner).unwrap();
        assert_eq!(
            fallback.price.map(|price| price.output),
            Some(20.0),
            "what it costs is counted"
        );
        let prices = prices(&models);
        let of = |role| prices.of.get(&role).map(|price| (price.input, price.output));
        assert_eq!(of(Role::Planner), Some((5_000_000, 20_000_000)));
        assert_eq!(of(Role::Worker), Some((1_000_000, 2_000_000)));
        assert_eq!(prices.unknown, ["nobody knows"]);
    }
}
