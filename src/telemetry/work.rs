//! A piece of work with a beginning and an end. Where no spans are wanted it is next to nothing.

use std::borrow::Cow;
use std::future::Future;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    FutureExt, SpanBuilder, SpanKind, Status, TraceContextExt, Tracer, TracerProvider,
};
use opentelemetry::{Array, Context, InstrumentationScope, KeyValue, StringValue, global};

/// Who answers: somebody elsewhere, or this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request to another process.
    Client,
    /// Done here.
    Internal,
}

/// The value of an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text, cut where it is long: a provider or an agent may have written it.
    Text(String),
    /// Several of them.
    Texts(Vec<String>),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
}

/// The most characters of a text.
const MOST: usize = 256;

fn cut(text: String) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => text[..end].to_owned(),
        None => text,
    }
}

impl From<Value> for opentelemetry::Value {
    fn from(value: Value) -> opentelemetry::Value {
        match value {
            Value::Text(text) => cut(text).into(),
            Value::Texts(all) => {
                let all = all.into_iter().map(|text| StringValue::from(cut(text)));
                opentelemetry::Value::Array(Array::String(all.collect()))
            }
            Value::Number(number) => i64::try_from(number).unwrap_or(i64::MAX).into(),
            Value::Flag(flag) => flag.into(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Value {
        Value::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Value {
        Value::Number(number)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Flag(flag)
    }
}

/// What is said of a span, by its names.
pub type Attributes = Vec<(&'static str, Value)>;

/// A piece of work that has ended.
#[derive(Debug)]
pub struct Piece {
    /// Its name.
    pub name: String,
    /// How long it took.
    pub took: Duration,
    /// What is said of it.
    pub attributes: Attributes,
    /// The kind of its error, where it failed.
    pub error: Option<&'static str>,
}

/// A span that is open. Dropped without [`Work::done`] or [`Work::failed`] it was given up.
#[derive(Debug)]
pub struct Work {
    context: Context,
    is_ended: bool,
}

impl Work {
    /// Begins now, as a part of `parent`.
    pub fn begin(
        parent: &Context,
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        attributes: Attributes,
    ) -> Work {
        Work::begin_at(parent, kind, name, attributes, SystemTime::now())
    }

    fn begin_at(
        parent: &Context,
        kind: Kind,
        name: impl Into<Cow<'static, str>>,
        attributes: Attributes,
        at: SystemTime,
    ) -> Work {
        let kind = match kind {
            Kind::Client => SpanKind::Client,
            Kind::Internal => SpanKind::Internal,
        };
        let attributes = attributes.into_iter().map(|(key, value)| KeyValue::new(key, value));
        let builder = SpanBuilder::from_name(name)
            .with_kind(kind)
            .with_start_time(at)
            .with_attributes(attributes);
        let scope = InstrumentationScope::builder("orchestrator-lsp")
            .with_version(env!("CARGO_PKG_VERSION"))
            .build();
        let tracer = global::tracer_provider().tracer_with_scope(scope);
        let span = tracer.build_with_context(builder, parent);
        Work { context: parent.with_span(span), is_ended: false }
    }

    /// Tells of what has ended already: pieces that came one after the other, the last of which ends now.
    pub fn tell_of(parent: &Context, pieces: Vec<Piece>) {
        let mut end = SystemTime::now();
        for Piece { name, took, attributes, error } in pieces.into_iter().rev() {
            let start = end.checked_sub(took).unwrap_or(end);
            let work = Work::begin_at(parent, Kind::Internal, name, attributes, start);
            work.end_at(error, end);
            end = start;
        }
    }

    /// For what is a part of it.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Adds an attribute.
    pub fn set(&self, key: &'static str, value: impl Into<Value>) {
        self.context.span().set_attribute(KeyValue::new(key, value.into()));
    }

    /// It has ended well.
    pub fn done(self) {
        self.end_at(None, SystemTime::now());
    }

    /// It has ended with an error of that kind: a word of few, no message.
    pub fn failed(self, kind: &str) {
        self.end_at(Some(kind), SystemTime::now());
    }

    fn end_at(mut self, error: Option<&str>, at: SystemTime) {
        self.is_ended = true;
        self.mark(error);
        self.context.span().end_with_timestamp(at);
    }

    fn mark(&self, error: Option<&str>) {
        if let Some(kind) = error {
            self.set("error.type", kind);
            self.context.span().set_status(Status::error(""));
        }
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if !self.is_ended {
            self.mark(Some("abandoned"));
            self.context.span().end();
        }
    }
}

/// What is under way here and now.
pub fn current() -> Context {
    Context::current()
}

/// The same future, during which that is under way.
pub fn within<F: Future>(context: Context, work: F) -> impl Future<Output = F::Output> {
    work.with_context(context)
}
