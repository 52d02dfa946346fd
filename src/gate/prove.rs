//! The stages that ask others: downstream servers and native tools, each against the base.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::asking::reach;
use super::coverage::Covered;
use super::coverage::conditional::{self, Features};
use super::coverage::nested;
use super::diagnostic::{Diagnostic, Range, Severity};
use super::error::GateError;
use super::language::{Covers, Language, Purpose, ServerSpec, ToolSpec};
use super::languages::{self, Languages};
use super::newness::delta::{self, Changes, Delta};
use super::newness::mend;
use super::report::{Asked, Stage, StageReport, StageVerdict};
use super::stage::{Answer, Overlay};
use super::tools::{Answered, Outcome};
use super::workbench::{Layout, Workbench};
use crate::workspace::path::RelPath;
use crate::workspace::resolve::{Resolved, ResolvedFile};

/// One candidate beside its base.
pub(super) struct Case<'a> {
    pub(super) languages: Languages,
    pub(super) resolved: &'a Resolved,
    pub(super) changes: Changes,
    pub(super) base: Layout,
    pub(super) candidate: Layout,
}

/// What a stage found, before it is a report.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) new: Vec<Diagnostic>,
    pub(super) revealed: Vec<Diagnostic>,
    /// Languages that this stage proved for every changed file of theirs.
    pub(super) proved: BTreeSet<String>,
    /// Programs that are compilers and servers in one, and as servers have judged every file of the candidate.
    pub(super) complete: BTreeSet<String>,
    /// Texts of unchanged files that something new was found in, for code frames.
    pub(super) texts: BTreeMap<RelPath, String>,
    /// What the questions about the candidate took.
    questions: Asked,
    asked: bool,
    /// Whether a tool that is there, asked on behalf of files of no language, was stopped before it had spoken.
    pub(super) cut_short: bool,
    unverified: Vec<String>,
    notes: Vec<String>,
    tools: BTreeSet<String>,
}

impl Findings {
    /// The stage's line of the report.
    pub(super) fn report(&self, stage: Stage, began: Instant) -> StageReport {
        let verdict = if !self.new.is_empty() {
            StageVerdict::Refused
        } else if !self.unverified.is_empty() {
            StageVerdict::Unverified
        } else if self.asked {
            StageVerdict::Passed
        } else {
            StageVerdict::NotApplicable
        };
        let mut parts = self.unverified.clone();
        parts.extend(self.notes.iter().cloned());
        if !self.new.is_empty() {
            parts.insert(0, format!("{} new", errors(self.new.len())));
        }
        if parts.is_empty() {
            parts.push("nothing here to check".to_owned());
        }
        StageReport {
            stage,
            verdict,
            detail: parts.join("; "),
            tools: self.tools.iter().filter(|name| !name.is_empty()).cloned().collect(),
            us: elapsed_us(began),
            asked: Some(self.questions).filter(|asked| asked.server_us > 0),
        }
    }

    /// Reads the files below `root` that something new was found in, while the candidate stands there.
    fn read_texts(&mut self, root: &std::path::Path) {
        for diagnostic in &self.new {
            let text = std::fs::read_to_string(diagnostic.path.in_root(root));
            self.texts.entry(diagnostic.path.clone()).or_insert_with(|| text.unwrap_or_default());
        }
    }

    fn add(&mut self, name: &str, delta: Delta) {
        self.asked = true;
        let mut note = format!("{name}: {} stood before", errors(delta.stood + delta.gone.len()));
        if !delta.gone.is_empty() {
            note.push_str(&format!(", {} gone", delta.gone.len()));
        }
        if !delta.revealed.is_empty() {
            note.push_str(&format!(", {} revealed", delta.revealed.len()));
        }
        self.notes.push(note);
        self.new.extend(delta.new);
        self.revealed.extend(delta.revealed);
    }
}

fn errors(count: usize) -> String {
    match count {
        0 => "no error".to_owned(),
        1 => "1 error".to_owned(),
        many => format!("{many} errors"),
    }
}

/// Whole microseconds since `began`.
pub(super) fn elapsed_us(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// The languages whose files the change-set touches, or the description of a project of theirs. (A `package.json` where
/// no TypeScript is concerns nobody.)
pub(super) fn touched(case: &Case<'_>) -> Vec<&'static Language> {
    let paths = || case.resolved.files.iter().map(|file| &file.path);
    let has_project = |language: &Language| {
        let layouts = [&case.base, &case.candidate].into_iter();
        let mut all = layouts.map(|layout| layout.tree.files.keys());
        all.any(|mut paths| {
            !languages::project_folders(language, paths.clone()).is_empty()
                && paths.any(|path| language.speaks(path))
        })
    };
    let concerns = |language: &&Language| {
        paths().any(|path| language.speaks(path))
            || paths().any(|path| language.describes(path)) && has_project(language)
    };
    case.languages.all().iter().filter(concerns).collect()
}

/// Asks the downstream servers of every touched language.
pub(super) async fn servers(bench: &mut Workbench, case: &Case<'_>) -> Result<Findings, GateError> {
    let mut findings = Findings::default();
    let languages = touched(case);
    if languages.is_empty() {
        return Ok(findings);
    }
    bench.show_base(&case.base).await?;
    for language in languages {
        servers_of(bench, case, language, &mut findings).await;
        findings.read_texts(&bench.servers_root());
        if !findings.new.is_empty() {
            break;
        }
    }
    Ok(findings)
}

/// The edited files first, for they are refused soonest; then all others that a server can judge.
async fn servers_of(
    bench: &mut Workbench,
    case: &Case<'_>,
    language: &Language,
    findings: &mut Findings,
) {
    let (own, all) = bench.files_to_ask(language, case).await;
    if all.after.is_empty() {
        return;
    }
    // The baseline of everything is pulled before anything of the candidate is shown, with the same documents open: which
    // project a server counts a closed file to may depend on them.
    let shown = base_overlay(case.resolved);
    let base = bench.ask_server(language, &case.base, &shown, &all.before).await;
    let overlay = overlay(case.resolved);
    // Of a base without any error nothing can have been hidden.
    let judges_all = language.servers_prove || bench.is_known_clean(language, &case.base);
    let mut answered = None;
    for files in [own, all] {
        if files.after.is_empty() {
            continue;
        }
        let base: Vec<Diagnostic> = match &base {
            Answer::Diagnosed { diagnostics, .. } => {
                diagnostics.iter().filter(|d| files.before.contains(&d.path)).cloned().collect()
            }
            Answer::Unverified { reason } => return findings.unverified.push(reason.clone()),
        };
        let began = Instant::now();
        let after = bench.ask_server(language, &case.candidate, &overlay, &files.after).await;
        let (diagnostics, server) = match after {
            Answer::Diagnosed { diagnostics, server, raw_us } => {
                if raw_us > 0 {
                    findings.questions.us += elapsed_us(began);
                    findings.questions.server_us += raw_us;
                }
                (diagnostics, server)
            }
            Answer::Unverified { reason } => return findings.unverified.push(reason),
        };
        let mut delta = delta_of_server(judges_all, case, &base, &diagnostics);
        match bench.ask_base_again(language, &shown, &delta.new, case).await {
            Answer::Diagnosed { diagnostics: again, .. } => {
                let more = again.into_iter().filter(|diagnostic| !base.contains(diagnostic));
                let base: Vec<Diagnostic> = base.iter().cloned().chain(more).collect();
                delta = delta_of_server(judges_all, case, &base, &diagnostics);
            }
            Answer::Unverified { reason } => return findings.unverified.push(reason),
        }
        let is_refused = !delta.new.is_empty();
        answered = Some((server, delta));
        if is_refused {
            break;
        }
    }
    let Some((server, delta)) = answered else {
        return;
    };
    if delta.new.is_empty() && language.servers_prove {
        findings.proved.insert(language.name.clone());
        findings.complete.extend(language.server_named(&server).map(ServerSpec::program));
    }
    findings.add(&server, delta);
    findings.tools.insert(server);
}

fn delta_of_server(
    judges_all: bool,
    case: &Case<'_>,
    base: &[Diagnostic],
    after: &[Diagnostic],
) -> Delta {
    let mut delta = delta::compare_plain(base, after, &case.changes);
    if !judges_all {
        delta.leave_to_the_compiler(&case.changes);
    }
    delta
}

/// The texts of the base that the candidate changes.
fn base_overlay(resolved: &Resolved) -> Overlay {
    let text =
        |file: &ResolvedFile| Some((file.path.clone(), Some(file.base.as_ref()?.text.clone())));
    resolved.files.iter().filter_map(text).collect()
}

pub(super) fn overlay(resolved: &Resolved) -> Overlay {
    resolved.files.iter().map(|file| (file.path.clone(), file.result.clone())).collect()
}

/// Asks the native tools of every touched language; of every language of the workspace when a file of no language
/// changed, for it may be compiled in.
///
/// A compiler that has judged every file as a server already (`complete`) is not asked the same once more.
pub(super) async fn tools(
    bench: &mut Workbench,
    case: &Case<'_>,
    complete: &BTreeSet<String>,
) -> Result<Findings, GateError> {
    let mut findings = Findings { complete: complete.clone(), ..Findings::default() };
    let needed = touched(case);
    let is_known =
        |path: &RelPath| case.languages.all().iter().any(|l| l.speaks(path) || l.describes(path));
    let foreign = case.resolved.files.iter().any(|file| !is_known(&file.path));
    for language in case.languages.all() {
        let must = needed.iter().any(|needed| needed.name == language.name);
        if must || foreign {
            tools_of(bench, case, language, must, &mut findings).await?;
        }
    }
    Ok(findings)
}

async fn tools_of(
    bench: &mut Workbench,
    case: &Case<'_>,
    language: &Language,
    must: bool,
    findings: &mut Findings,
) -> Result<(), GateError> {
    let folders = languages::project_folders(language, case.candidate.tree.files.keys());
    if folders.is_empty() && must {
        let root = language.roots.join(" or ");
        findings.unverified.push(format!("no {root} here: nothing can check {}", language.name));
    }
    if !language.tools.iter().any(|spec| spec.purpose == Purpose::Check) {
        return Ok(());
    }
    let mut covered = Covered::default();
    let mut blind = None;
    let mut is_judged = false;
    let unverified_before = findings.unverified.len();
    for spec in language.tools.iter().filter(|spec| spec.purpose == Purpose::Check) {
        if findings.complete.contains(spec.program())
            && reach::keeps_members(case.resolved, |path| language.speaks(path))
            && bench.is_same_as_server(spec, &case.candidate)
        {
            let note = format!("{}: not run, it has judged every file as a server", spec.name);
            findings.notes.push(note);
            is_judged = true;
            continue;
        }
        let mut asked = Vec::new();
        let mut next = folders.clone();
        while !next.is_empty() {
            for folder in &next {
                let question = Question { spec, folder, must };
                let Some((base, answered)) = question.ask(bench, case, findings).await? else {
                    continue;
                };
                blind = blind.or(answered.blind.clone());
                if spec.covers != Covers::Nothing {
                    covered.add(base, answered);
                }
            }
            asked.append(&mut next);
            let conditional =
                conditional::left_out(case, &[Features::Default], &bench.runner().root);
            // Another platform's code is compiled with no feature.
            let both = [Features::Default, Features::All];
            let hopeless = conditional::left_out(case, &both, &bench.runner().root);
            let helps =
                conditional.len() > hopeless.len() || !unseen(language, case, &covered).is_empty();
            if helps && findings.new.is_empty() && !spec.everything.is_empty() {
                let spec = with_everything(spec);
                for folder in &asked {
                    let question = Question { spec: &spec, folder, must };
                    if let Some((base, answered)) = question.ask(bench, case, findings).await? {
                        covered.add(base, answered);
                    }
                }
            }
            if findings.new.is_empty() {
                next = nested::left(language, case, &covered, &asked, &bench.runner().root);
            }
        }
    }
    if findings.new.is_empty() {
        findings.new.extend(covered.narrowed(language, case));
    }
    findings.read_texts(&bench.runner().root);
    if !must
        || folders.is_empty()
        || !findings.new.is_empty()
        || findings.unverified.len() > unverified_before
    {
        return Ok(());
    }
    let left_out =
        conditional::left_out(case, &[Features::Default, Features::All], &bench.runner().root);
    if language.name == "rust" && !left_out.is_empty() {
        let places = left_out.join(", ");
        findings
            .unverified
            .push(format!("not compiled on this machine, and so not checked: {places}"));
        return Ok(());
    }
    let unseen = unseen(language, case, &covered);
    if is_judged || unseen.is_empty() {
        findings.proved.insert(language.name.clone());
    } else {
        let orphaned = "it belongs to nothing that the compiler reads; make it part of the project in the same change";
        let why = blind.unwrap_or_else(|| orphaned.to_owned());
        findings.unverified.push(format!("{} was not checked: {why}", unseen.join(", ")));
    }
    Ok(())
}

/// A tool and the project that it is asked about.
struct Question<'a> {
    spec: &'a ToolSpec,
    folder: &'a str,
    /// Whether the change touches files of the tool's language.
    must: bool,
}

impl Question<'_> {
    /// Asks of the base and of the candidate, and weighs the answers; hands back what was said of either, where the candidate
    /// had an answer.
    async fn ask(
        &self,
        bench: &mut Workbench,
        case: &Case<'_>,
        findings: &mut Findings,
    ) -> Result<Option<(Option<Answered>, Answered)>, GateError> {
        if !bench.is_used(self.spec, self.folder, &case.candidate).await? {
            return Ok(None);
        }
        let mut base = bench.ask_tool(self.spec, self.folder, &case.base).await?;
        if let Outcome::Missing(reason) = base {
            self.missed(bench, findings);
            findings.unverified.push(reason);
            return Ok(None);
        }
        let candidate = bench.ask_tool(self.spec, self.folder, &case.candidate).await?;
        // What made the tool fail may have been no fault of the tree: then it answers now.
        if let (Outcome::Failed(_), Outcome::Answered(_)) = (&base, &candidate) {
            base = bench.ask_tool(self.spec, self.folder, &case.base).await?;
        }
        let answered = (base.answered().cloned(), candidate.answered().cloned());
        findings.tools.extend(answered.1.iter().map(|answered| answered.tool.clone()));
        self.weigh(bench, base, candidate, case, findings).await?;
        Ok(answered.1.map(|after| (answered.0, after)))
    }

    /// No answer: where the tool is there, nobody knows what it would have said of files of no language, which may be
    /// compiled in.
    fn missed(&self, bench: &Workbench, findings: &mut Findings) {
        findings.cut_short |= !self.must && bench.runner().is_installed(self.spec, self.folder);
    }

    /// Compares what the tool said of the base and of the candidate.
    async fn weigh(
        &self,
        bench: &mut Workbench,
        base: Outcome,
        candidate: Outcome,
        case: &Case<'_>,
        findings: &mut Findings,
    ) -> Result<(), GateError> {
        let name = &self.spec.name;
        match (base, candidate) {
            (Outcome::Answered(base), Outcome::Answered(after)) => {
                let mut delta = delta::compare(&base, &after, &case.changes);
                self.doubt(bench, case, &after, &mut delta).await?;
                findings.add(name, delta);
            }
            (Outcome::Failed(_), Outcome::Answered(after)) => {
                let mut delta = delta::compare_with_silent_base(&after, &case.changes);
                self.doubt(bench, case, &after, &mut delta).await?;
                findings.add(name, delta);
            }
            (Outcome::Answered(_), Outcome::Failed(reason)) => {
                findings.asked = true;
                findings.new.push(failure(name, reason, case));
            }
            (Outcome::Failed(_), Outcome::Failed(reason)) => {
                let reason = format!("it fails before the change as after it: {reason}");
                // A project that was broken before, and that the change does not touch, keeps it from nothing.
                let list = match nested::holds_a_change(self.folder, case) {
                    true => &mut findings.unverified,
                    false => &mut findings.notes,
                };
                list.push(reason);
            }
            (Outcome::Missing(reason), _) | (_, Outcome::Missing(reason)) => {
                self.missed(bench, findings);
                findings.unverified.push(reason);
            }
        }
        Ok(())
    }

    /// Revealed or new? The tool is asked of the base with the gone errors mended and as little else as possible: what it
    /// says of that was hidden indeed, what it does not say there the rest of the change made.
    async fn doubt(
        &self,
        bench: &mut Workbench,
        case: &Case<'_>,
        after: &Answered,
        delta: &mut Delta,
    ) -> Result<(), GateError> {
        let mut asked = BTreeSet::from([case.base.hash.clone(), case.candidate.hash.clone()]);
        for whole_files in [false, true] {
            if delta.revealed.is_empty() {
                break;
            }
            let (between, mended) = mend::between(case, &delta.gone, whole_files);
            if !asked.insert(mended.hash.clone()) {
                continue;
            }
            if let Outcome::Answered(base) = bench.ask_tool(self.spec, self.folder, &mended).await?
            {
                let closer = delta::compare(&base, after, &Changes::of(&between));
                delta.take_back(&closer);
            }
        }
        Ok(())
    }
}

/// The tool as it is asked for code that it does not compile by default.
fn with_everything(spec: &ToolSpec) -> ToolSpec {
    let more = spec.everything.iter();
    ToolSpec {
        name: more.clone().fold(spec.name.clone(), |name, more| format!("{name} {more}")),
        command: spec.command.iter().chain(more).cloned().collect(),
        ..spec.clone()
    }
}

/// A tool that the candidate brought down, said of the file that most likely did it.
fn failure(name: &str, reason: String, case: &Case<'_>) -> Diagnostic {
    let files = || case.resolved.files.iter().map(|file| &file.path);
    let guilty =
        files().find(|path| case.languages.described_by(path).is_some()).or_else(|| files().next());
    #[expect(clippy::expect_used, reason = "a resolved change-set has at least one file")]
    let path = guilty.expect("a file").clone();
    Diagnostic {
        path,
        range: Range::default(),
        severity: Severity::Error,
        code: None,
        message: format!("{name} worked before this change and fails with it: {reason}"),
        source: name.to_owned(),
        remedies: Vec::new(),
    }
}

/// The changed files of a language that no tool read. A file that goes must have been read before, or beside others of its
/// project that were: of a project that was never looked into, nobody knows who needs it.
pub(super) fn unseen(language: &Language, case: &Case<'_>, covered: &Covered) -> Vec<String> {
    let is_root = |path: &RelPath| {
        let name = path.as_str().rsplit('/').next().unwrap_or_default();
        language.roots.iter().any(|root| root == name)
    };
    let is_of = |path: &RelPath| language.speaks(path) || is_root(path);
    let is_unseen = |file: &&ResolvedFile| match file.result {
        Some(_) => !covered.after.contains(&file.path),
        None => !covered.knew(&file.path),
    };
    let changed = case.resolved.files.iter().filter(|file| is_of(&file.path));
    changed.filter(is_unseen).map(|file| file.path.to_string()).collect()
}
