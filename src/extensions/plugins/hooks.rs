//! The hooks: what plugins make of calls, of what is told of them, of goals and of turns, one after the other.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::order::{Hook, ordered};
use super::plugin::Plugin;
use super::{Plugins, Remark, Who};

impl Plugins {
    fn hooks(&self, kind: &str) -> Vec<(String, Hook, Arc<Plugin>)> {
        let of = |plugin: Arc<Plugin>| {
            let hooks = plugin.described.hooks.clone().into_iter().filter(|hook| hook.kind == kind);
            hooks
                .map(|hook| (plugin.described.name.clone(), hook, plugin.clone()))
                .collect::<Vec<_>>()
        };
        ordered(self.up().flat_map(of).collect())
    }

    /// Calls one hook; `Err` where what it is about must not go on.
    async fn hook(
        &self,
        (name, hook, plugin): &(String, Hook, Arc<Plugin>),
        kind: &'static str,
        mut asked: Value,
        remark: Remark<'_>,
    ) -> Result<Value, String> {
        asked["key"] = json!(hook.key);
        let tries = if hook.error_handling == "retry" { 2 } else { 1 };
        let mut failed = None;
        for _ in 0..tries {
            match self.ask(plugin, kind, &asked, self.bounds.hook).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failed = Some(failure),
            }
        }
        let Some(failure) = failed else {
            return Ok(Value::Null);
        };
        remark(plugin.words(&format!("hook {kind}"), &failure));
        match hook.error_handling.as_str() {
            "stop" => Err(format!(
                "the hook {kind} of the plugin `{name}` failed, and says that nothing goes on then: {failure}"
            )),
            _ => Ok(Value::Null),
        }
    }

    /// What a tool is called with, after all hooks have seen it.
    ///
    /// # Errors
    /// Why it is not to be called.
    pub async fn before(
        &self,
        tool: &str,
        mut arguments: Arc<Map<String, Value>>,
        who: &Who,
        remark: Remark<'_>,
    ) -> Result<Arc<Map<String, Value>>, String> {
        for hook in self.hooks("preTool") {
            let asked = json!({"tool": tool, "args": *arguments, "context": self.context(who)});
            let mut answer = self.hook(&hook, "preTool", asked, remark).await?;
            if answer["action"] == "block" {
                return Err(blocked(&hook.0, &answer));
            }
            if let (true, Value::Object(changed)) =
                (answer["action"] == "modify", answer["args"].take())
            {
                arguments = Arc::new(changed);
            }
        }
        Ok(arguments)
    }

    /// What an agent is told of a call, after all hooks have seen it.
    pub async fn after(
        &self,
        tool: &str,
        arguments: &Map<String, Value>,
        mut output: String,
        who: &Who,
        remark: Remark<'_>,
    ) -> String {
        for hook in self.hooks("postTool") {
            let context = self.context(who);
            let asked =
                json!({"tool": tool, "args": arguments, "output": output, "context": context});
            match self.hook(&hook, "postTool", asked, remark).await {
                Ok(answer) => {
                    if let Some(changed) = answer["output"].as_str() {
                        output = changed.to_owned();
                    }
                }
                Err(_) => break,
            }
        }
        output
    }

    /// What hooks make of a goal: other words for it, where they have any.
    ///
    /// # Errors
    /// That one of them takes it over.
    pub async fn goal(
        &self,
        goal: &str,
        who: &Who,
        remark: Remark<'_>,
    ) -> Result<Option<String>, String> {
        let mut changed = None;
        for hook in self.hooks("chat") {
            let message = changed.as_deref().unwrap_or(goal);
            let asked = json!({"message": message, "context": self.context(who)});
            let answer = self.hook(&hook, "chat", asked, remark).await?;
            if answer["action"] == "intercept" {
                return Err(with_reason(
                    format!("the plugin `{}` has taken the goal over", hook.0),
                    &answer,
                ));
            }
            if let Some(text) = answer["message"].as_str().filter(|text| !text.trim().is_empty()) {
                changed = Some(text.to_owned());
            }
        }
        Ok(changed)
    }

    /// What hooks say to an agent after its turn.
    ///
    /// # Errors
    /// That one of them stops the mission.
    pub async fn done(
        &self,
        text: &str,
        who: &Who,
        remark: Remark<'_>,
    ) -> Result<Vec<String>, String> {
        let mut prompts = Vec::new();
        for hook in self.hooks("done") {
            let asked = json!({"text": text, "context": self.context(who)});
            let answer = self.hook(&hook, "done", asked, remark).await?;
            if answer["action"] == "stop" {
                return Err(with_reason(format!("the plugin `{}` stops it", hook.0), &answer));
            }
            let said = answer["prompts"].as_array().into_iter().flatten();
            let told = |one: &str| format!("[the plugin `{}` of the project]\n{one}", hook.0);
            prompts.extend(said.filter_map(Value::as_str).map(told));
        }
        Ok(prompts)
    }
}

fn with_reason(what: String, answer: &Value) -> String {
    match answer["reason"].as_str().map(str::trim).filter(|reason| !reason.is_empty()) {
        Some(reason) => format!("{what}: {reason}"),
        None => what,
    }
}

fn blocked(plugin: &str, answer: &Value) -> String {
    with_reason(format!("not called: the project's plugin `{plugin}` refuses it"), answer)
}
