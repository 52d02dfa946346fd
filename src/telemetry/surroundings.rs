//! The trace that this process is part of, and the one that its children are to be part of: `TRACEPARENT` and `TRACESTATE`,
//! in the form of W3C Trace Context.

use std::collections::HashMap;
use std::sync::OnceLock;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The variables, and the headers whose form their values have.
const NAMES: [(&str, &str); 2] = [("TRACEPARENT", "traceparent"), ("TRACESTATE", "tracestate")];

/// The span that this process was started in; an empty context where it was started in none.
pub fn inherited() -> Context {
    static INHERITED: OnceLock<Context> = OnceLock::new();
    let read = || {
        let set = NAMES.iter().filter_map(|(variable, header)| {
            Some(((*header).to_owned(), std::env::var(variable).ok()?))
        });
        let headers: HashMap<String, String> = set.collect();
        TraceContextPropagator::new().extract_with_context(&Context::new(), &headers)
    };
    INHERITED.get_or_init(read).clone()
}

/// What a child that is started here and now finds in its environment: the span that is under way, else the one that
/// this process was started in, else nothing.
pub fn for_children() -> Vec<(&'static str, String)> {
    let now = Context::current();
    let is_traced = now.span().span_context().is_valid();
    let context = if is_traced { now } else { inherited() };
    let mut headers: HashMap<String, String> = HashMap::new();
    TraceContextPropagator::new().inject_context(&context, &mut headers);
    let value = |header: &str| headers.get(header).filter(|value| !value.is_empty()).cloned();
    NAMES.iter().filter_map(|(variable, header)| Some((*variable, value(header)?))).collect()
}
