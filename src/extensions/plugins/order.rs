//! In which order hooks are called: by phase, priority and name, and never before what they depend on.

use serde::Deserialize;

/// What a hook says of itself.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Hook {
    /// `preTool`, `postTool`, `chat`, `done`.
    pub kind: String,
    /// Under which its plugin's isolate knows it.
    pub key: String,
    /// Its own name, or its plugin's.
    pub name: String,
    /// 0 to 100; the low one first.
    pub priority: f64,
    /// `early`, `normal`, `late`.
    #[serde(default)]
    pub phase: String,
    /// Names of hooks or plugins that come before.
    #[serde(default)]
    pub dependencies: Vec<String>,
    /// `continue`, `stop`, `retry`.
    #[serde(default)]
    pub error_handling: String,
}

impl Hook {
    fn rank(&self) -> u8 {
        match self.phase.as_str() {
            "early" => 0,
            "late" => 2,
            _ => 1,
        }
    }
}

/// Puts hooks, each with the name of its plugin, in order. Dependencies that go round in a circle are left aside.
pub(super) fn ordered<T>(mut hooks: Vec<(String, Hook, T)>) -> Vec<(String, Hook, T)> {
    hooks.sort_by(|(_, one, _), (_, other, _)| {
        let by_priority = one.priority.total_cmp(&other.priority);
        one.rank().cmp(&other.rank()).then(by_priority).then_with(|| one.name.cmp(&other.name))
    });
    let mut done: Vec<(String, Hook, T)> = Vec::new();
    while !hooks.is_empty() {
        let waits = |hook: &Hook| {
            let mut others = hooks.iter().filter(|(_, other, _)| other != hook);
            others.any(|(plugin, other, _)| {
                hook.dependencies.iter().any(|name| *name == other.name || name == plugin)
            })
        };
        let next = hooks.iter().position(|(_, hook, _)| !waits(hook)).unwrap_or(0);
        done.push(hooks.remove(next));
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hook(name: &str, phase: &str, priority: f64, after: &[&str]) -> (String, Hook, ()) {
        let dependencies = after.iter().map(|name| (*name).to_owned()).collect();
        let (kind, key) = ("preTool".to_owned(), format!("preTool/{name}"));
        let hook = Hook {
            kind,
            key,
            name: name.into(),
            priority,
            phase: phase.into(),
            dependencies,
            ..Hook::default()
        };
        (format!("plugin-{name}"), hook, ())
    }

    fn names(hooks: Vec<(String, Hook, ())>) -> String {
        ordered(hooks).iter().map(|(_, hook, ())| hook.name.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn phase_goes_before_priority_and_that_before_the_name() {
        let all = vec![
            hook("late", "late", 0.0, &[]),
            hook("b", "", 50.0, &[]),
            hook("a", "normal", 50.0, &[]),
            hook("low", "normal", 1.0, &[]),
            hook("early", "early", 100.0, &[]),
        ];
        assert_eq!(names(all), "early low a b late");
    }

    #[test]
    fn what_depends_on_another_comes_behind_it_and_circles_end() {
        let all = vec![
            hook("a", "early", 0.0, &["z"]),
            hook("z", "late", 100.0, &["plugin-m"]),
            hook("m", "", 50.0, &["gone"]),
        ];
        assert_eq!(names(all), "m z a");
        let circle =
            vec![hook("a", "", 1.0, &["b"]), hook("b", "", 2.0, &["a"]), hook("c", "", 3.0, &[])];
        assert_eq!(names(circle), "c a b");
    }
}
