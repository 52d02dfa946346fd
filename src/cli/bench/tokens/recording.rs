//! Recorded missions: what a Worker did in so many turns, made of real files by a seed. It searches, reads, changes, is
//! refused, mends, asks the compiler, and keeps its list; each turn can be told in either of the ways that are compared.
//!
//! What was read long ago is sometimes needed again: where the history still holds it, nothing is asked; where it gave way, it
//! is read again, and that turn is paid.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::super::gate::random::Random;
use super::corpus::{File, SOURCES, functions};

/// Turns of one item of the list.
const CYCLE: usize = 10;
/// The most lines that one `read` hands back, as of the tool itself.
const MAX_LINES: usize = 600;
/// The most matches of one search.
const MATCHES: usize = 40;
/// Of ten change-sets, how many are refused at first.
const REFUSED: usize = 3;

/// A turn, as it would be sent.
pub(super) struct Turn {
    pub text: String,
    pub tool: &'static str,
    pub arguments: Value,
    pub reply: Reply,
}

/// How it was answered.
pub(super) enum Reply {
    /// A tool's result.
    Told(String),
    /// The gate accepted it.
    Accepted(String),
    /// The gate refused it, with its report.
    Refused(String),
}

/// One turn in both ways, and whether it only fetches again what was seen before.
struct Step {
    plain: Turn,
    fine: Turn,
    again: bool,
}

/// A recorded mission.
pub(super) struct Recording {
    steps: Vec<Step>,
    /// The plan, as the Planner hands it in.
    pub plan: String,
    pub goal: String,
    /// What the Commander decided.
    pub brief: String,
}

impl Recording {
    /// A mission of so many turns, beside those that fetch something again.
    pub fn new(seed: u64, turns: usize) -> Recording {
        let mut maker = Maker {
            random: Random::new(seed, "tokens"),
            seen: BTreeSet::new(),
            items: turns.div_ceil(CYCLE),
        };
        let mut steps = Vec::new();
        let mut item = 0;
        while steps.iter().filter(|step: &&Step| !step.again).count() < turns {
            steps.extend(maker.cycle(item));
            item += 1;
        }
        while steps.iter().filter(|step| !step.again).count() > turns {
            steps.pop();
        }
        Recording {
            steps,
            plan: maker.plan(),
            goal: "Every public function of the gate, the journal and the workspace that can fail says in its error what a person can do next; callers pass that on unchanged, and a test shows it for each kind of error.".to_owned(),
            brief: "Keep the kinds of errors as they are: only their words change. The journal's file format must not.".to_owned(),
        }
    }

    /// The turns in the ways that are wanted. Where nothing gives way, nothing is fetched again.
    pub fn turns(&self, by_item: bool, by_symbol: bool, gives_way: bool) -> Vec<&Turn> {
        let steps = self.steps.iter().filter(|step| gives_way || !step.again);
        let chosen = steps.map(|step| {
            let is_fine = match step.fine.tool {
                "update_todo" => by_item,
                _ => by_symbol,
            };
            if is_fine { &step.fine } else { &step.plain }
        });
        chosen.collect()
    }
}

struct Maker {
    random: Random,
    /// What was read whole.
    seen: BTreeSet<&'static str>,
    items: usize,
}

/// A function of a file.
#[derive(Clone, Copy)]
struct Place {
    file: &'static File,
    name: &'static str,
    from: usize,
    to: usize,
}

impl Place {
    fn lines(&self, from: usize, to: usize) -> String {
        let lines = self.file.text.lines().skip(from).take(to.saturating_sub(from));
        lines.map(|line| format!("{line}\n")).collect()
    }

    fn body(&self) -> String {
        self.lines(self.from, self.to + 1)
    }
}

impl Maker {
    fn place(&mut self) -> Place {
        for _ in 0..50 {
            let Some(file) = self.random.pick(SOURCES) else { break };
            if let Some((name, from, to)) = self.random.pick(&functions(file)).copied() {
                return Place { file, name, from, to };
            }
        }
        Place { file: &SOURCES[0], name: "replace", from: 0, to: 10 }
    }

    /// The turns of one item.
    fn cycle(&mut self, item: usize) -> Vec<Step> {
        let (a, b, c) = (self.place(), self.place(), self.place());
        let mut steps = vec![self.search(a), self.read(a, false), self.read(b, false)];
        if self.random.below(3) == 0 {
            let old = self.place();
            steps.push(self.read(old, true));
        }
        steps.push(self.read(c, false));
        if self.random.below(10) < REFUSED {
            steps.push(self.propose(a, true));
            steps.push(self.search(b));
        }
        steps.push(self.propose(a, false));
        steps.push(self.read(b, false));
        steps.push(self.propose(b, false));
        steps.push(self.diagnostics());
        steps.push(self.todo(item));
        steps
    }

    fn says(&mut self, place: Place, what: &str) -> String {
        let beginnings = [
            "Now",
            "Next",
            "Before I change it,",
            "To be sure,",
            "As the report says,",
            "For this item",
        ];
        let beginning = self.random.pick(&beginnings).copied().unwrap_or("Now");
        format!("{beginning} I {what} `{}` in {}.", place.name, place.file.path)
    }

    fn same(
        &mut self,
        text: String,
        tool: &'static str,
        arguments: Value,
        reply: impl Fn() -> Reply,
    ) -> Step {
        let turn =
            || Turn { text: text.clone(), tool, arguments: arguments.clone(), reply: reply() };
        Step { plain: turn(), fine: turn(), again: false }
    }

    fn search(&mut self, place: Place) -> Step {
        let text = self.says(place, "look for uses of");
        let mut found = Vec::new();
        for file in SOURCES {
            let lines = file.text.lines().enumerate().filter(|(_, line)| line.contains(place.name));
            found.extend(
                lines.map(|(at, line)| format!("{}:{}: {}", file.path, at + 1, line.trim())),
            );
        }
        found.truncate(MATCHES);
        self.same(text, "search", json!({"pattern": place.name}), || Reply::Told(found.join("\n")))
    }

    /// A whole file at first sight and a part of it later, or the one function.
    fn read(&mut self, place: Place, again: bool) -> Step {
        let text = self.says(place, "read");
        let path = place.file.path;
        let is_new = self.seen.insert(path);
        let (arguments, told) = match is_new {
            true => (json!({"path": path}), place.lines(0, MAX_LINES)),
            false => {
                let (from, to) = (place.from.saturating_sub(30), place.to + 30);
                (json!({"path": path, "from": from + 1, "to": to}), place.lines(from, to))
            }
        };
        let plain = Turn { text: text.clone(), tool: "read", arguments, reply: Reply::Told(told) };
        let symbol = json!({"path": path, "symbol": place.name});
        // Whoever looks at a file for the first time asks what is in it.
        let outline = if is_new { outline(place.file) } else { String::new() };
        let told = Reply::Told(format!("{outline}{path}:{}\n{}", place.from + 1, place.body()));
        Step { plain, fine: Turn { text, tool: "read", arguments: symbol, reply: told }, again }
    }

    fn propose(&mut self, place: Place, is_refused: bool) -> Step {
        let text = self.says(place, "change");
        let lines: Vec<&str> =
            place.file.text.lines().skip(place.from).take((place.to - place.from).min(8)).collect();
        let old = lines.join("\n");
        let new = format!(
            "{}\n    // What a person can do is part of the message.\n    let hint = hint_of(\"{}\");",
            old, place.name
        );
        let edit = json!({"old": old, "new": new});
        let arguments =
            json!({"changes": [{"op": "edit", "path": place.file.path, "edits": [edit]}]});
        let frame = place.lines(place.from, place.from + 6);
        let report = format!(
            "{}:{}: error[E0425] cannot find function `hint_of` in this scope\n\n{frame}\nhelp: consider importing one of these functions\nThe declaration concerned:\n{}",
            place.file.path,
            place.from + 3,
            place.lines(place.from, place.from + 3)
        );
        let path = place.file.path.to_owned();
        self.same(text, "propose", arguments, || match is_refused {
            true => Reply::Refused(report.clone()),
            false => Reply::Accepted(path.clone()),
        })
    }

    fn diagnostics(&mut self) -> Step {
        let place = self.place();
        let text = self.says(place, "ask the compiler about");
        let told = match self.random.below(2) {
            0 => "no errors, no warnings".to_owned(),
            _ => format!(
                "{}:{}: warning[dead_code] function `{}` is never used",
                place.file.path,
                place.from + 1,
                place.name
            ),
        };
        self.same(text, "diagnostics", json!({}), || Reply::Told(told.clone()))
    }

    /// The whole list written anew, or one item of it.
    fn todo(&mut self, item: usize) -> Step {
        let text = format!("Item {} is done.", item + 1);
        let list = (0..self.items)
            .map(|n| format!("- [{}] {}\n", if n <= item { 'x' } else { ' ' }, title(n)));
        let whole = json!({"todo": list.collect::<String>()});
        let plain = Turn {
            text: text.clone(),
            tool: "write_todo",
            arguments: whole,
            reply: Reply::Told("written".to_owned()),
        };
        let one =
            json!({"item": format!("S1.1.{}", item + 1), "mark": "done", "version": item + 4});
        let told =
            Reply::Told(format!("S1.1.{} is done; the list has version {}", item + 1, item + 5));
        Step {
            plain,
            fine: Turn { text, tool: "update_todo", arguments: one, reply: told },
            again: false,
        }
    }

    fn plan(&self) -> String {
        let mut text =
            "# Mission: words of errors\n## M1: all of them\n### T1.1: the errors\n".to_owned();
        for n in 0..self.items {
            text += &format!("- [ ] S1.1.{}: {}\n", n + 1, title(n));
        }
        text + "### T1.2: the documentation | depends:T1.1\n- [ ] S1.2.1: docs say what each error asks for\n"
    }
}

/// The functions of a file, a line each.
fn outline(file: &File) -> String {
    let lines: Vec<&str> = file.text.lines().collect();
    let of = |(_, from, to): (&str, usize, usize)| {
        let first = lines.get(from).map_or("", |line| line.trim_end_matches(" {"));
        format!("{}-{}: {first}\n", from + 1, to + 1)
    };
    functions(file).into_iter().map(of).collect()
}

fn title(n: usize) -> String {
    let file = SOURCES.get(n % SOURCES.len()).map_or("", |file| file.path);
    format!("errors of {file} say what to do next (part {})", n / SOURCES.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recording_is_as_long_as_it_is_wanted_and_no_text_stands_in_it_over_and_over() {
        let recording = Recording::new(1, 100);
        let plain = recording.turns(false, false, false);
        assert_eq!(plain.len(), 100);
        assert!(recording.turns(true, true, true).len() > 100);
        let mut told: Vec<&str> = plain
            .iter()
            .filter_map(|turn| match &turn.reply {
                Reply::Told(text) if text.len() > 200 => Some(text.as_str()),
                _ => None,
            })
            .collect();
        let all = told.len();
        told.sort_unstable();
        told.dedup();
        assert!(told.len() * 10 >= all * 8, "{} of {all}", told.len());
        assert!(plain.iter().any(|turn| matches!(turn.reply, Reply::Refused(_))));
    }
}
