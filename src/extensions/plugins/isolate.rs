//! One plugin's JavaScript, on a thread of its own: memory, stack and time are bounded, and there is nothing of a host in
//! it but what [`Surroundings`] gives. Values cross as JSON. Nothing here knows what a plugin is for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use rquickjs::loader::{BuiltinLoader, BuiltinResolver};
use rquickjs::{CatchResultExt, CaughtError, Context, Ctx, Exception, Function, Module, Object};
use rquickjs::{Promise, Runtime, Value};
use tokio::sync::oneshot;

use super::surroundings::Surroundings;

/// The most memory that a plugin's heap may take, in bytes.
const MEMORY: usize = 64 * 1024 * 1024;
/// The deepest that its calls may nest, in bytes of stack, and the stack of its thread: native code needs some, too.
const STACK: usize = 1024 * 1024;
const THREAD_STACK: usize = 8 * 1024 * 1024;
/// The longest answer, in bytes.
const ANSWER: usize = 1024 * 1024;
/// How much longer than its limit a call is waited for: native loops are not interrupted.
const GRACE: Duration = Duration::from_secs(2);

const PRELUDE: &str = include_str!("prelude.js");
/// What a plugin can import, and what stands there.
const IMPORTS: [(&str, &str); 2] = [
    (
        "@opencode-ai/plugin",
        "const { tool } = globalThis[Symbol.for('orchestrator')]; export { tool }; export default { tool };",
    ),
    (
        "zod",
        "const { schema } = globalThis[Symbol.for('orchestrator')]; export const z = schema; export default schema;",
    ),
];

/// The names that a plugin can import.
pub(super) fn imports() -> impl Iterator<Item = &'static str> {
    IMPORTS.iter().map(|(name, _)| *name)
}

/// Why a call into a plugin came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It threw, or its code is wrong.
    #[error("{0}")]
    Threw(String),
    /// It was not done in time, and was stopped.
    #[error("it was stopped: not done within {} ms", .0.as_millis())]
    TooLong(Duration),
    /// It wanted more memory than there is for it.
    #[error("it was stopped: it wants more than {} MiB of memory", MEMORY / 1024 / 1024)]
    TooMuch,
    /// It cannot even be stopped: a single native operation goes on.
    #[error("it does not answer any more, and cannot be stopped")]
    Hangs,
}

impl Failure {
    /// Whether what the plugin has kept in mind may be in pieces.
    pub fn is_deep(&self) -> bool {
        !matches!(self, Failure::Threw(_))
    }
}

/// When what runs is to be stopped, in milliseconds since the isolate began.
struct Deadline {
    began: Instant,
    at: AtomicU64,
}

impl Deadline {
    fn set(&self, limit: Duration) {
        self.at.store((self.began.elapsed() + limit).as_millis() as u64, Ordering::Relaxed);
    }

    fn left(&self) -> Option<Duration> {
        let now = self.began.elapsed().as_millis() as u64;
        let left = self.at.load(Ordering::Relaxed).saturating_sub(now);
        (left > 0).then(|| Duration::from_millis(left))
    }
}

struct Call {
    kind: &'static str,
    json: String,
    limit: Duration,
    answer: oneshot::Sender<Result<String, Failure>>,
}

/// A plugin that was loaded. Dropping it ends its thread, once what runs on it has come to its end or its limit.
#[derive(Debug)]
pub struct Isolate {
    calls: Sender<Call>,
}

impl Isolate {
    /// Runs the code of a module, and answers with what it says of itself (JSON).
    ///
    /// # Errors
    /// What its code does wrong.
    pub async fn load(
        name: &str,
        code: &str,
        around: Surroundings,
        limit: Duration,
    ) -> Result<(Isolate, String), Failure> {
        let (calls, waiting) = channel();
        let (first, described) = oneshot::channel();
        let (name, code) = (name.to_owned(), code.to_owned());
        std::thread::Builder::new()
            .name("plugin".to_owned())
            .stack_size(THREAD_STACK)
            .spawn(move || live(&name, &code, Arc::new(around), limit, first, &waiting))
            .map_err(|error| Failure::Threw(format!("failed to start a thread: {error}")))?;
        let described = answered(described, limit).await?;
        Ok((Isolate { calls }, described))
    }

    /// Calls what the prelude knows under that name.
    ///
    /// # Errors
    /// What goes wrong within, or that it takes too long.
    pub async fn call(
        &self,
        kind: &'static str,
        json: String,
        limit: Duration,
    ) -> Result<String, Failure> {
        let (answer, waits) = oneshot::channel();
        self.calls.send(Call { kind, json, limit, answer }).map_err(|_| Failure::Hangs)?;
        answered(waits, limit).await
    }
}

async fn answered(
    waits: oneshot::Receiver<Result<String, Failure>>,
    limit: Duration,
) -> Result<String, Failure> {
    match tokio::time::timeout(limit + GRACE, waits).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) | Err(_) => Err(Failure::Hangs),
    }
}

/// The life of the thread.
fn live(
    name: &str,
    code: &str,
    around: Arc<Surroundings>,
    limit: Duration,
    first: oneshot::Sender<Result<String, Failure>>,
    calls: &Receiver<Call>,
) {
    let deadline = Arc::new(Deadline { began: Instant::now(), at: AtomicU64::new(0) });
    deadline.set(limit);
    let opened = open(&deadline);
    let context = match opened {
        Ok((_, ref context)) => context,
        Err(error) => {
            let _ = first.send(Err(Failure::Threw(format!("no engine for plugins: {error}"))));
            return;
        }
    };
    context.with(|ctx| {
        let run = Run { ctx: &ctx, deadline: &deadline, limit };
        // Whoever waits no longer needs no answer.
        let inner = match run.load(name, code, &around) {
            Ok((described, inner)) => {
                let _ = first.send(Ok(described));
                inner
            }
            Err(failure) => {
                let _ = first.send(Err(failure));
                return;
            }
        };
        while let Ok(Call { kind, json, limit, answer }) = calls.recv() {
            deadline.set(limit);
            let run = Run { ctx: &ctx, deadline: &deadline, limit };
            let _ = answer.send(run.call(&inner, kind, &json));
        }
    });
}

fn open(deadline: &Arc<Deadline>) -> rquickjs::Result<(Runtime, Context)> {
    let runtime = Runtime::new()?;
    runtime.set_memory_limit(MEMORY);
    runtime.set_max_stack_size(STACK);
    let watched = deadline.clone();
    runtime.set_interrupt_handler(Some(Box::new(move || watched.left().is_none())));
    let mut resolver = BuiltinResolver::default();
    let mut loader = BuiltinLoader::default();
    for (name, code) in IMPORTS {
        resolver.add_module(name);
        loader.add_module(name, code);
    }
    runtime.set_loader(resolver, loader);
    let context = Context::full(&runtime)?;
    Ok((runtime, context))
}

/// The prelude's functions.
struct Inner<'js> {
    call: Function<'js>,
    tick: Function<'js>,
    failure: Function<'js>,
}

/// Something that runs, up to its deadline.
struct Run<'a, 'js> {
    ctx: &'a Ctx<'js>,
    deadline: &'a Arc<Deadline>,
    limit: Duration,
}

impl<'js> Run<'_, 'js> {
    fn load(
        &self,
        name: &str,
        code: &str,
        around: &Arc<Surroundings>,
    ) -> Result<(String, Inner<'js>), Failure> {
        let host = self.host(around).map_err(|error| self.failed(error, None))?;
        let prelude: Function<'js> =
            self.ctx.eval(PRELUDE).map_err(|error| self.failed(error, None))?;
        let inner: Object<'js> =
            prelude.call((host.clone(),)).map_err(|error| self.failed(error, None))?;
        let get = |name: &str| inner.get(name).map_err(|error| self.failed(error, None));
        let describe: Function<'js> = get("describe")?;
        let inner = Inner { call: get("call")?, tick: get("tick")?, failure: get("failure")? };
        let result = (|| {
            let built: Value<'js> = host.get("built")?;
            let symbol: Value<'js> = self.ctx.eval("Symbol.for('orchestrator')")?;
            self.ctx.globals().set(symbol, built)?;
            Module::declare(self.ctx.clone(), name, code)?.eval()
        })();
        let (module, evaluated) = result.map_err(|error| self.failed(error, Some(&inner)))?;
        self.drive::<Value<'js>>(&inner, &evaluated)?;
        let described = module.namespace().and_then(|names| describe.call((names,)));
        let described: String = described.map_err(|error| self.failed(error, Some(&inner)))?;
        Ok((described, inner))
    }

    fn call(&self, inner: &Inner<'js>, kind: &str, json: &str) -> Result<String, Failure> {
        let promise: Promise<'js> =
            inner.call.call((kind, json)).map_err(|error| self.failed(error, Some(inner)))?;
        let answer: rquickjs::String<'js> = self.drive(inner, &promise)?;
        let answer = answer.to_string().map_err(|error| self.failed(error, Some(inner)))?;
        match answer.len() {
            0..=ANSWER => Ok(answer),
            length => {
                let most = ANSWER / 1024;
                Err(Failure::Threw(format!(
                    "its answer has {length} bytes; {most} KiB is the most"
                )))
            }
        }
    }

    /// Runs jobs and timers until the promise is settled.
    fn drive<T: rquickjs::FromJs<'js>>(
        &self,
        inner: &Inner<'js>,
        promise: &Promise<'js>,
    ) -> Result<T, Failure> {
        loop {
            while self.deadline.left().is_some() && self.ctx.execute_pending_job() {}
            let Some(left) = self.deadline.left() else {
                return Err(Failure::TooLong(self.limit));
            };
            if let Some(result) = promise.result::<T>() {
                return result.map_err(|error| self.failed(error, Some(inner)));
            }
            let wait: f64 = inner.tick.call(()).map_err(|error| self.failed(error, Some(inner)))?;
            if wait < 0.0 {
                let text = "it waits for something that never comes: no timer is set".to_owned();
                return Err(Failure::Threw(text));
            }
            std::thread::sleep(Duration::from_secs_f64((wait / 1000.0).min(left.as_secs_f64())));
        }
    }

    /// What went wrong, in words.
    fn failed(&self, error: rquickjs::Error, inner: Option<&Inner<'js>>) -> Failure {
        if self.deadline.left().is_none() {
            let _ = self.ctx.catch();
            return Failure::TooLong(self.limit);
        }
        let words = match Err::<(), _>(error).catch(self.ctx) {
            Err(CaughtError::Exception(exception)) => {
                let value = exception.into_object().into_value();
                inner.and_then(|inner| inner.failure.call::<_, String>((value,)).ok())
            }
            Err(CaughtError::Value(value)) => {
                inner.and_then(|inner| inner.failure.call::<_, String>((value,)).ok())
            }
            Err(CaughtError::Error(error)) => Some(error.to_string()),
            Ok(()) => None,
        };
        let words = words.unwrap_or_else(|| "it failed without a word".to_owned());
        match words.contains("out of memory") {
            true => Failure::TooMuch,
            false => Failure::Threw(words),
        }
    }

    /// The five functions that the prelude is given.
    fn host(&self, around: &Arc<Surroundings>) -> rquickjs::Result<Object<'js>> {
        let ctx = self.ctx;
        let host = Object::new(ctx.clone())?;
        let one = around.clone();
        let log = move |level: String, text: String| one.log(&level, &text);
        host.set("log", Function::new(ctx.clone(), log)?)?;
        let began = self.deadline.began;
        let now = move || began.elapsed().as_secs_f64() * 1000.0;
        host.set("now", Function::new(ctx.clone(), now)?)?;
        let one = around.clone();
        let read = move |ctx: Ctx<'js>, path: String| thrown(&ctx, one.read(&path));
        host.set("read", Function::new(ctx.clone(), read)?)?;
        let one = around.clone();
        let list = move |ctx: Ctx<'js>, folder: String| thrown(&ctx, one.list(&folder));
        host.set("list", Function::new(ctx.clone(), list)?)?;
        let (one, deadline) = (around.clone(), self.deadline.clone());
        let fetch = move |ctx: Ctx<'js>, request: String| {
            let left = deadline.left().unwrap_or_default();
            thrown(&ctx, one.fetch(&request, left))
        };
        host.set("fetch", Function::new(ctx.clone(), fetch)?)?;
        Ok(host)
    }
}

fn thrown(ctx: &Ctx<'_>, result: Result<String, String>) -> rquickjs::Result<String> {
    result.map_err(|why| Exception::throw_message(ctx, &why))
}
