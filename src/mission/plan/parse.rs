//! Reads `todo.md`. What is wrong is reported with its line, all of it at once, so that it can be shown in the editor.

use std::collections::BTreeMap;

use super::{Item as PlanItem, ItemId, Level, Mark, Milestone, Plan, Size, Step, Task};

/// The longest title, in characters.
const MAX_TITLE: usize = 1_000;
/// The most tasks that one plan may have.
pub(crate) const MAX_TASKS: usize = 500;

/// The tags that an item of this level may have.
pub fn tags(level: Level) -> &'static [&'static str] {
    match level {
        Level::Milestone => &["depends", "status"],
        Level::Task => &["agent", "depends", "parallel-group", "status", "issue", "size", "file"],
        Level::Step => &["size", "file", "issue", "status", "verified", "evidence", "note"],
    }
}

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanError {
    /// 0-based line of the text.
    pub line: u32,
    /// What is wrong and how it would be right.
    pub message: String,
}

impl std::fmt::Display for PlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line + 1, self.message)
    }
}

/// Reads a plan. Blank lines and lines that are neither headings nor list items are notes and are passed over.
///
/// # Errors
/// Everything that is wrong, in order of the lines.
pub fn parse(text: &str) -> Result<Plan, Vec<PlanError>> {
    let mut reader = Reader::default();
    for (number, line) in (0u32..).zip(text.lines()) {
        reader.line = number;
        reader.read(line.trim_end());
    }
    reader.finish()
}

/// What one line of `todo.md` is by itself.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// An item.
    Item(PlanItem),
    /// A line of an item, with its id as far as it can be seen, that is not valid.
    Broken(Option<ItemId>),
    /// An item without an id; the byte at which its title begins.
    Nameless(Level, usize),
    /// A line of the person's own, or of the mission's head.
    Other,
}

impl Read {
    pub fn id(&self) -> Option<&ItemId> {
        match self {
            Read::Item(item) => Some(item.id()),
            Read::Broken(id) => id.as_ref(),
            _ => None,
        }
    }

    pub fn level(&self) -> Option<Level> {
        match self {
            Read::Nameless(level, _) => Some(*level),
            other => other.id().map(ItemId::level),
        }
    }
}

/// Reads one line by itself.
pub(super) fn read_line(line: &str) -> Read {
    let text = line.trim_start();
    let indent = line.len() - text.len();
    let heads = [
        ("### ", Level::Task),
        ("## ", Level::Milestone),
        ("- [", Level::Step),
        ("* [", Level::Step),
    ];
    let Some((head, level)) = heads.into_iter().find(|(head, _)| text.starts_with(head)) else {
        return Read::Other;
    };
    let rest = &text[head.len()..];
    let mut reader = Reader::default();
    let item = match level {
        Level::Milestone => reader.read_milestone(rest).map(PlanItem::Milestone),
        Level::Task => reader.read_task(rest).map(PlanItem::Task),
        Level::Step => reader.read_step(rest).map(PlanItem::Step),
    };
    if let Some(item) = item.filter(|_| reader.errors.is_empty()) {
        return Read::Item(item);
    }
    let named = match level {
        Level::Step => rest.split_once(']').map_or("", |(_, named)| named),
        _ => rest,
    };
    let word = named.trim_start();
    let id: String = word.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '.').collect();
    let is_marked = level != Level::Step
        || rest.get(1..2) == Some("]") && Mark::from_symbol(&rest[..1]).is_some();
    // `S1` is an id that is being written, `Solve it` is not.
    let is_id =
        id.starts_with(['M', 'T', 'S']) && id[1..].starts_with(|c: char| c.is_ascii_digit());
    if is_id || !is_marked || word.is_empty() {
        return Read::Broken(ItemId::parse(&id).filter(|id| id.level() == level));
    }
    Read::Nameless(level, indent + text.len() - word.len())
}

#[derive(Default)]
struct Reader {
    line: u32,
    goal: Option<String>,
    milestones: Vec<Milestone>,
    lines: BTreeMap<ItemId, u32>,
    errors: Vec<PlanError>,
}

/// An item's heading or list line, taken apart.
struct Item {
    id: ItemId,
    title: String,
    tags: BTreeMap<String, String>,
}

impl Reader {
    fn error(&mut self, message: impl Into<String>) {
        self.errors.push(PlanError { line: self.line, message: message.into() });
    }

    fn read(&mut self, line: &str) {
        let text = line.trim_start();
        if let Some(rest) = text.strip_prefix("### ") {
            self.task(rest);
        } else if let Some(rest) = text.strip_prefix("## ") {
            self.milestone(rest);
        } else if let Some(rest) = text.strip_prefix("# ") {
            self.mission(rest);
        } else if let Some(rest) = text.strip_prefix("- [").or(text.strip_prefix("* [")) {
            self.step(rest);
        }
    }

    fn mission(&mut self, rest: &str) {
        let goal = rest.strip_prefix("Mission:").unwrap_or(rest).trim();
        match self.goal {
            Some(_) => self.error("a second `# Mission:` heading; a plan has one"),
            None => self.goal = Some(goal.to_owned()),
        }
    }

    fn milestone(&mut self, rest: &str) {
        let milestone = self.read_milestone(rest);
        self.milestones.extend(milestone);
    }

    fn read_milestone(&mut self, rest: &str) -> Option<Milestone> {
        let mut item = self.item(rest, Level::Milestone)?;
        let depends = self.depends(&mut item);
        Some(Milestone { id: item.id, title: item.title, depends, tasks: Vec::new() })
    }

    fn read_task(&mut self, rest: &str) -> Option<Task> {
        let mut item = self.item(rest, Level::Task)?;
        let depends = self.depends(&mut item);
        let agent = item.tags.remove("agent").filter(|a| a != "Worker");
        Some(Task { id: item.id, title: item.title, agent, depends, steps: Vec::new() })
    }

    fn task(&mut self, rest: &str) {
        let Some(task) = self.read_task(rest) else {
            return;
        };
        match self.milestones.last_mut() {
            Some(m) if task.id.is_child_of(&m.id) => m.tasks.push(task),
            Some(m) => {
                let message =
                    format!("{} stands under {}; its number must begin with that", task.id, m.id);
                self.error(message);
            }
            None => self.error("a task before the first milestone (`## M1: …`)"),
        }
    }

    fn read_step(&mut self, rest: &str) -> Option<Step> {
        let Some((mark, rest)) = rest.split_once(']') else {
            self.error("a list item without `]`; write `- [ ] S1.1.1: …`");
            return None;
        };
        let Some(mark) = Mark::from_symbol(mark) else {
            self.error(format!("`[{mark}]` is no mark; write [ ], [/], [x] or [-]"));
            return None;
        };
        let mut item = self.item(rest, Level::Step)?;
        let size = self.size(&mut item);
        let files = self.files(&mut item);
        Some(Step {
            id: item.id,
            title: item.title,
            mark,
            size,
            files,
            issue: item.tags.remove("issue"),
            evidence: item.tags.remove("evidence"),
            note: item.tags.remove("note"),
        })
    }

    fn step(&mut self, rest: &str) {
        let Some(step) = self.read_step(rest) else {
            return;
        };
        match self.milestones.last_mut().and_then(|m| m.tasks.last_mut()) {
            Some(t) if step.id.is_child_of(&t.id) => t.steps.push(step),
            Some(t) => {
                let message =
                    format!("{} stands under {}; its number must begin with that", step.id, t.id);
                self.error(message);
            }
            None => self.error("a step before the first task (`### T1.1: …`)"),
        }
    }

    fn item(&mut self, rest: &str, level: Level) -> Option<Item> {
        let form = match level {
            Level::Milestone => "## M1: title",
            Level::Task => "### T1.1: title",
            Level::Step => "- [ ] S1.1.1: title",
        };
        let Some((id, rest)) = rest.split_once(':') else {
            self.error(format!("an item without an id; write `{form}`"));
            return None;
        };
        let id = match ItemId::parse(id.trim()) {
            Some(id) if id.level() == level => id,
            _ => {
                self.error(format!("`{}` is no id for this level; write `{form}`", id.trim()));
                return None;
            }
        };
        if self.lines.insert(id.clone(), self.line).is_some() {
            self.error(format!("{id} is there twice"));
            return None;
        }
        let mut parts = split_bars(rest).into_iter();
        let title = parts.next().unwrap_or_default();
        if title.is_empty() || title.chars().count() > MAX_TITLE {
            self.error(format!("{id} needs a title of 1 to {MAX_TITLE} characters"));
        }
        let tags = self.tags(parts, tags(level));
        Some(Item { id, title, tags })
    }

    fn tags(
        &mut self,
        parts: impl Iterator<Item = String>,
        known: &[&str],
    ) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for part in parts {
            let (name, value) = part.split_once(':').unwrap_or((&part, ""));
            let (name, value) = (name.trim(), value.trim());
            if name.is_empty() && value.is_empty() {
                // A bar behind which nothing stands yet.
            } else if !known.contains(&name) {
                self.error(format!(
                    "`{name}` is no tag here (known: {}); a bar in a title is written `\\|`",
                    known.join(", ")
                ));
            } else if !value.is_empty() {
                tags.insert(name.to_owned(), value.to_owned());
            }
        }
        tags
    }

    fn depends(&mut self, item: &mut Item) -> Vec<ItemId> {
        let text = item.tags.remove("depends").unwrap_or_default();
        let mut ids = Vec::new();
        for name in list(&text) {
            match ItemId::parse(name) {
                Some(id) if id.level() != Level::Step => ids.push(id),
                _ => self.error(format!("`depends:{name}` is no milestone or task id")),
            }
        }
        ids
    }

    fn size(&mut self, item: &mut Item) -> Option<Size> {
        match item.tags.remove("size")?.as_str() {
            "XS" => Some(Size::XS),
            "S" => Some(Size::S),
            "M" => Some(Size::M),
            "L" => {
                self.error(format!("{} has size L; split it into smaller steps", item.id));
                None
            }
            other => {
                self.error(format!("`size:{other}` is none of XS, S, M"));
                None
            }
        }
    }

    fn files(&mut self, item: &mut Item) -> Vec<String> {
        let text = item.tags.remove("file").unwrap_or_default();
        let files: Vec<String> = list(&text).map(str::to_owned).collect();
        for file in &files {
            if !super::is_file(file) {
                self.error(format!("`file:{file}` must be relative to the workspace, with `/`"));
            }
        }
        files
    }

    fn finish(mut self) -> Result<Plan, Vec<PlanError>> {
        self.check_steps();
        self.check_depends();
        if self.errors.is_empty() {
            self.check_cycles();
        }
        if !self.errors.is_empty() {
            self.errors.sort_by_key(|e| e.line);
            return Err(self.errors);
        }
        Ok(Plan { goal: self.goal.unwrap_or_default(), milestones: self.milestones })
    }

    fn check_steps(&mut self) {
        let mut tasks = 0;
        let mut empty = Vec::new();
        for milestone in &self.milestones {
            tasks += milestone.tasks.len();
            if milestone.tasks.is_empty() {
                empty.push((milestone.id.clone(), "task (`### T1.1: …`)"));
            }
            let bare = milestone.tasks.iter().filter(|t| t.steps.is_empty());
            empty.extend(bare.map(|t| (t.id.clone(), "step (`- [ ] S1.1.1: …`)")));
        }
        for (id, what) in empty {
            self.line = self.lines.get(&id).copied().unwrap_or_default();
            self.error(format!("{id} has no {what}"));
        }
        self.line = 0;
        if self.milestones.is_empty() && self.errors.is_empty() {
            self.error("there is no milestone; write `## M1: title`, `### T1.1: task`, `- [ ] S1.1.1: step`");
        }
        if tasks > MAX_TASKS {
            self.error(format!("{tasks} tasks are more than a plan may have ({MAX_TASKS})"));
        }
    }

    fn check_depends(&mut self) {
        let mut unknown = Vec::new();
        for (id, depends) in edges(&self.milestones) {
            let missing = depends.iter().filter(|d| !self.lines.contains_key(d));
            unknown.extend(
                missing.map(|d| {
                    (id.clone(), format!("{id} depends on {d}, which is not in the plan"))
                }),
            );
        }
        for (id, message) in unknown {
            self.line = self.lines.get(&id).copied().unwrap_or_default();
            self.error(message);
        }
    }

    /// Takes away what depends on nothing that is left, until nothing is left or a cycle is.
    fn check_cycles(&mut self) {
        let mut left: BTreeMap<ItemId, Vec<ItemId>> = full_edges(&self.milestones);
        loop {
            let free: Vec<ItemId> = left
                .iter()
                .filter(|(_, depends)| depends.iter().all(|d| !left.contains_key(d)))
                .map(|(id, _)| id.clone())
                .collect();
            if free.is_empty() {
                break;
            }
            free.iter().for_each(|id| {
                left.remove(id);
            });
        }
        if let Some(first) = left.keys().next() {
            let names: Vec<String> = left.keys().map(ItemId::to_string).collect();
            self.line = self.lines.get(first).copied().unwrap_or_default();
            self.error(format!("a cycle: {} wait for each other", names.join(", ")));
        }
    }
}

/// Every item with what its `depends` names.
fn edges(milestones: &[Milestone]) -> Vec<(ItemId, Vec<ItemId>)> {
    let of_tasks =
        milestones.iter().flat_map(|m| &m.tasks).map(|t| (t.id.clone(), t.depends.clone()));
    let of_milestones = milestones.iter().map(|m| (m.id.clone(), m.depends.clone()));
    of_milestones.chain(of_tasks).collect()
}

/// The edges that order the work: a milestone waits for its tasks, a task for what its milestone waits for.
fn full_edges(milestones: &[Milestone]) -> BTreeMap<ItemId, Vec<ItemId>> {
    let mut edges = BTreeMap::new();
    for milestone in milestones {
        let tasks: Vec<ItemId> = milestone.tasks.iter().map(|t| t.id.clone()).collect();
        edges.insert(milestone.id.clone(), [tasks, milestone.depends.clone()].concat());
        for task in &milestone.tasks {
            edges.insert(
                task.id.clone(),
                [task.depends.clone(), milestone.depends.clone()].concat(),
            );
        }
    }
    edges
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty())
}

/// Splits at bars that are not escaped, undoes the escapes and trims the parts.
fn split_bars(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, parts.last_mut()) {
            ('|', _) => parts.push(String::new()),
            ('\\', Some(part)) => match chars.next() {
                Some(escaped @ ('|' | '\\')) => part.push(escaped),
                Some(other) => part.extend(['\\', other]),
                None => part.push('\\'),
            },
            (_, Some(part)) => part.push(c),
            (_, None) => {}
        }
    }
    parts.into_iter().map(|p| p.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    const GOOD: &str = "# Mission: mend it\n\n## M1: first\n\n### T1.1: a \\| b | agent:Worker\n- [x] S1.1.1: one | size:S | file:src/a.rs, src/b.rs | verified | evidence:receipt 3\n- [/] S1.1.2: two\n\n## M2: second | depends:M1\nnotes are passed over\n### T2.1: c | agent:Docs | depends:T1.1\n- [ ] S2.1.1: three | issue:unused\n";

    #[test]
    fn a_plan_is_read_and_written_back() {
        let plan = parse(GOOD).unwrap();
        assert_eq!(plan.progress(), (1, 3));
        assert_eq!(plan.tasks().next().unwrap().title, "a | b");
        assert_eq!(parse(&render(&plan)).unwrap(), plan);
        let second = plan.tasks().nth(1).unwrap();
        assert!(!plan.is_ready(second));
    }

    /// Each text is wrong in one way; the line (1-based) and a piece of the message are given.
    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let cases = [
            ("", 1, "no milestone"),
            (
                "## M1: a\n### T1.1: b | depends:T9.9\n- [ ] S1.1.1: c",
                2,
                "T9.9, which is not in the plan",
            ),
            (
                "## M1: a\n### T1.1: b | depends:T1.2\n- [ ] S1.1.1: c\n### T1.2: d | depends:T1.1\n- [ ] S1.2.1: e",
                1,
                "wait for each other",
            ),
            (
                "## M1: a | depends:M2\n### T1.1: b\n- [ ] S1.1.1: c\n## M2: a | depends:M1\n### T2.1: b\n- [ ] S2.1.1: c",
                1,
                "a cycle",
            ),
            ("## M1: a\n### T1.1: b\n", 2, "no step"),
            ("## M1: a\n### T2.1: b\n- [ ] S2.1.1: c", 2, "stands under M1"),
            ("## M1: a\n### T1.1: b\n- [?] S1.1.1: c", 3, "is no mark"),
            ("## M1: a\n### T1.1: b\n- [ ] S1.1.1: c | size:L", 3, "split it"),
            ("## M1: a\n### T1.1: b\n- [ ] S1.1.1: c | file:../x", 3, "relative"),
            ("## M1: a\n### T1.1: b\n- [ ] S1.1.1: c | colour:red", 3, "is no tag"),
            ("## M1: a\n### T1.1: b\n- [ ] S1.1.1: c\n- [ ] S1.1.1: d", 4, "twice"),
            ("## M1: a\n### T1.1: b\n- [ ] do it", 3, "without an id"),
            ("## one: a", 1, "is no id"),
        ];
        for (text, line, piece) in cases {
            let errors = parse(text).unwrap_err();
            let found = errors.iter().any(|e| e.line + 1 == line && e.message.contains(piece));
            assert!(found, "{text:?}: {errors:?}");
        }
    }

    #[test]
    fn a_bar_with_nothing_behind_it_says_nothing() {
        let plan =
            parse("## M1: a |\n### T1.1: b | agent:Docs |\n- [ ] S1.1.1: c | | size:S | ").unwrap();
        let task = plan.tasks().next().unwrap();
        assert_eq!((task.agent.as_deref(), task.steps[0].size), (Some("Docs"), Some(Size::S)));
    }

    #[test]
    fn t1_1_is_not_t1_10() {
        let text = "## M1: a\n### T1.1: b | depends:T1.10\n- [ ] S1.1.1: c\n### T1.10: d\n- [x] S1.10.1: e";
        let plan = parse(text).unwrap();
        assert!(plan.is_ready(plan.task(&ItemId::parse("T1.1").unwrap()).unwrap()));
        assert!(!plan.is_done(&ItemId::parse("T1.1").unwrap()));
    }
}
