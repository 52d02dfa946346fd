//! `orchestrator doctor`: what is here, what is missing, and how to get it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use serde_json::{Value, json};

use super::CliError;
use super::paint::Colour;
use super::watch::Output;
use crate::agents::custom;
use crate::extensions::described::Reading;
use crate::extensions::{self, skills};
use crate::gate::language::Language;
use crate::gate::languages::Languages;
use crate::gate::shadow::cache_dir;
use crate::gate::tools::process::{allowed_environment, find, virtual_environments};
use crate::mission::SYMBOLIC;
use crate::mission::conversation::Role;
use crate::runtime::{Settings, settings};

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(10);

/// One thing that was looked at.
struct Finding {
    subject: String,
    /// Whether it is there and answers.
    ok: bool,
    detail: String,
}

pub(super) fn doctor(root: &Path, out: &Output) -> Result<u8, CliError> {
    let findings = examine(Some(root));
    if out.is_json() {
        let row = |f: &Finding| json!({"subject": f.subject, "ok": f.ok, "detail": f.detail});
        out.value(&Value::Array(findings.iter().map(row).collect()));
        return Ok(0);
    }
    for finding in &findings {
        let (mark, colour) =
            if finding.ok { ("ok", Colour::Green) } else { ("--", Colour::Yellow) };
        out.line(&format!(
            "{} {:<32} {}",
            out.paint.paint(colour, mark),
            finding.subject,
            finding.detail
        ));
    }
    Ok(0)
}

/// The same in words, for an editor.
pub(super) fn report(root: Option<&Path>) -> String {
    let row = |f: &Finding| {
        format!("{} {}: {}", if f.ok { "ok" } else { "missing" }, f.subject, f.detail)
    };
    examine(root).iter().map(row).collect::<Vec<_>>().join("\n")
}

fn examine(root: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![orchestrator(), models(), journal(root), cache()];
    findings.extend(root.into_iter().flat_map(agents));
    findings.extend(root.into_iter().flat_map(extensions));
    let languages = languages(root);
    let here = root.map(|root| languages.detect(root)).unwrap_or_default();
    for language in languages.all() {
        let used = here.iter().any(|l| l.name == language.name);
        findings.extend(programs(language, root, used));
    }
    findings
}

/// The languages of the workspace; the built-in ones where the configuration cannot be used, which is told elsewhere.
fn languages(root: Option<&Path>) -> Languages {
    let additions = Settings::load().map(|settings| settings.gate.additions).unwrap_or_default();
    let root = root.and_then(|root| root.canonicalize().ok()).unwrap_or_default();
    Languages::of_workspace(&additions, &root).unwrap_or_default()
}

fn orchestrator() -> Finding {
    let config = settings::config_path(|name| std::env::var(name).ok());
    let config = config.map_or("none".to_owned(), |path| match path.exists() {
        true => path.display().to_string(),
        false => format!("{} (not there; defaults hold)", path.display()),
    });
    Finding {
        subject: "orchestrator".into(),
        ok: true,
        detail: format!("{}, settings: {config}", env!("CARGO_PKG_VERSION")),
    }
}

/// The project's own agents, where it describes some.
fn agents(root: &Path) -> Vec<Finding> {
    let file = custom::load(root).map(|file| {
        let names = file.agents.into_iter().map(|agent| agent.name).collect();
        (names, file.reading)
    });
    let pages = custom::pages(root).into_iter().filter_map(|(path, page)| {
        let names = page.agents.into_iter().map(|agent| agent.name).collect();
        described(&path, Ok((names, page.reading)))
    });
    let skills = skills::pages(root).into_iter().filter_map(|(path, skill, reading)| {
        described(&path, Ok((skill.into_iter().map(|skill| skill.name).collect(), reading)))
    });
    described(custom::PATH, file).into_iter().chain(pages).chain(skills).collect()
}

/// What a file of the project describes, by name, and what is wrong with it; nothing where it is empty.
fn described(path: &str, file: Result<(Vec<String>, Reading), String>) -> Option<Finding> {
    let subject = path.to_owned();
    let (names, reading) = match file {
        Ok(file) => file,
        Err(detail) => return Some(Finding { subject, ok: false, detail }),
    };
    let errors = reading.problems.iter().filter(|problem| problem.is_error);
    let errors: Vec<&str> = errors.map(|problem| problem.message.as_str()).collect();
    if reading.entries.is_empty() && errors.is_empty() {
        return None;
    }
    let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let wrong = if errors.is_empty() { String::new() } else { format!("; {}", errors.join("; ")) };
    Some(Finding { subject, ok: errors.is_empty(), detail: format!("{names}{wrong}") })
}

/// What the workspace adds, and whether it may take effect.
fn extensions(root: &Path) -> Vec<Finding> {
    let trust = settings::trust(root);
    let found = extensions::candidates(root).into_iter();
    let finding = |one: extensions::Candidate| {
        let is_trusted = trust.holds(&one.path, &one.bytes);
        let wrong = one.wrong.join("; ");
        let detail = match (is_trusted, wrong.as_str()) {
            (_, wrong) if !wrong.is_empty() => wrong.to_owned(),
            (true, _) => format!("trusted; {}", one.wants.join("; ")),
            (false, _) => {
                "not trusted as it is now, and so without effect; `orchestrator trust` shows it"
                    .into()
            }
        };
        Finding { subject: one.path, ok: is_trusted && wrong.is_empty(), detail }
    };
    found.map(finding).collect()
}

fn models() -> Finding {
    let subject = "model".to_owned();
    let settings = match Settings::load() {
        Ok(settings) => settings,
        Err(error) => return Finding { subject, ok: false, detail: error.to_string() },
    };
    if settings.models.is_empty() {
        let detail = format!(
            "none: the {SYMBOLIC} serves (\"fix all diagnostics\"); set ORCHESTRATOR_MODEL and ORCHESTRATOR_API_KEY for more"
        );
        return Finding { subject, ok: true, detail };
    }
    let of_role = |role: &Role| {
        let model = settings.models.for_role(*role)?.model?;
        let fallback = settings.models.fallback_for(*role).and_then(|fallback| fallback.model);
        let fallback = fallback.map_or(String::new(), |name| format!(", or {name}"));
        Some(format!("{role}: {model}{fallback}"))
    };
    let detail = Role::ALL.iter().filter_map(of_role).collect::<Vec<_>>().join("; ");
    Finding { subject, ok: true, detail }
}

fn journal(root: Option<&Path>) -> Finding {
    let subject = "journal".to_owned();
    let Some(root) = root else {
        return Finding { subject, ok: true, detail: "no workspace is open".into() };
    };
    match crate::runtime::load_views(root, crate::runtime::Seen::Recent) {
        Ok(views) => {
            let losses = crate::runtime::losses(root).unwrap_or_default();
            let ok = losses.is_empty();
            let mut detail = format!("{} missions in sight in {}", views.len(), root.display());
            losses.iter().for_each(|loss| detail += &format!("; {loss}"));
            Finding { subject, ok, detail }
        }
        Err(error) => Finding { subject, ok: false, detail: error.to_string() },
    }
}

fn cache() -> Finding {
    let subject = "shadow copies".to_owned();
    match cache_dir() {
        Some(path) => Finding { subject, ok: true, detail: path.display().to_string() },
        None => Finding {
            subject,
            ok: false,
            detail: "no cache folder: set ORCHESTRATOR_CACHE_DIR".into(),
        },
    }
}

/// A program that the gate may start: its name for people, the commands that would do, how it says its version.
struct Program<'a> {
    name: &'a str,
    commands: Vec<&'a Vec<String>>,
    version: &'a [String],
    install: &'a str,
}

fn programs(language: &Language, root: Option<&Path>, used: bool) -> Vec<Finding> {
    let mut first: Vec<PathBuf> = root.map(|r| r.join("node_modules/.bin")).into_iter().collect();
    first.extend(root.into_iter().flat_map(virtual_environments));
    let here = if used { "" } else { " (not used here)" };
    let servers = language.servers.iter().map(|server| Program {
        name: &server.name,
        commands: vec![&server.command],
        version: &server.version,
        install: &server.install,
    });
    let tools = language.tools.iter().map(|tool| Program {
        name: &tool.name,
        commands: std::iter::once(&tool.command).chain(&tool.otherwise).collect(),
        version: &tool.version,
        install: &tool.install,
    });
    let row = |program: Program<'_>| {
        let mut commands = program.commands.iter();
        let found = commands.find_map(|command| find(command.first()?, &first, None));
        let said = found
            .as_ref()
            .ok_or("not found".to_owned())
            .and_then(|found| version_of(found, program.version));
        let (ok, detail) = match said {
            Ok(text) => (true, text),
            Err(why) => (false, format!("{why}; get it: {}", program.install)),
        };
        Finding { subject: format!("{}: {}{here}", language.name, program.name), ok, detail }
    };
    servers.chain(tools).map(row).collect()
}

/// The first line that a program says of its version.
fn version_of(program: &Path, arguments: &[String]) -> Result<String, String> {
    if arguments.is_empty() {
        return Ok(program.display().to_string());
    }
    let mut child = Command::new(program)
        .args(arguments)
        .env_clear()
        .envs(allowed_environment())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("failed to start {}: {error}", program.display()))?;
    let (sender, receiver) = channel();
    let output = child.stdout.take();
    std::thread::spawn(move || {
        let text = output.map(|o| std::io::read_to_string(std::io::Read::take(o, 4096)));
        // The receiver may have lost its patience; then nobody wants the answer.
        let _ = sender.send(text);
    });
    let text = receiver.recv_timeout(PATIENCE);
    if text.is_err() {
        let _ = child.kill();
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match text {
        Ok(Some(Ok(text))) if status.success() => {
            Ok(text.lines().next().unwrap_or("answers without a version").trim().to_owned())
        }
        Ok(_) => Err(format!("{} does not work ({status})", program.display())),
        Err(_) => Err(format!("{} gave no version in {} s", program.display(), PATIENCE.as_secs())),
    }
}
