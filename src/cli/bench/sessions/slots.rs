//! Do slots come back? Many requests at once through few slots: some are answered, some meet errors, some a provider that
//! falls silent, some are cancelled while they wait or while they are answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde::Serialize;

use super::super::super::{CliError, environment};
use crate::mission::conversation::{Message, Role};
use crate::model::replay::{Answer, ReceivedRequest, ReplayServer, ScriptedTurn};
use crate::model::{Client, ModelSettings, Provider, Request, Settings, SlotSettings};

/// Requests of each kind.
const EACH: usize = 50;
/// Slots.
const SLOTS: u32 = 8;
/// How long a silent provider is waited for.
const IDLE_MS: u64 = 300;

/// How soon a request that was held back is made again.
const HELD: Duration = Duration::from_millis(5);

const KINDS: [&str; 5] = ["answer", "error", "refuse", "hang", "cancel"];

/// What became of the requests, and of the slots.
#[derive(Debug, Default, Serialize)]
pub(super) struct Slots {
    pub answered: usize,
    pub faulted: usize,
    pub cancelled: usize,
    /// The most slots that were held at once, and how many there were.
    pub most: usize,
    pub slots: usize,
    /// Afterwards.
    pub held: usize,
    pub waiting: usize,
}

pub(super) async fn measure() -> Result<Slots, CliError> {
    let server = ReplayServer::with_handler(Arc::new(answer)).map_err(environment)?;
    let client = client(server.base_url())?;
    let asked = (0..EACH * KINDS.len()).map(|number| {
        let (client, kind) = (client.clone(), KINDS[number % KINDS.len()]);
        tokio::spawn(async move { ask(&client, kind, number).await })
    });
    let asked: Vec<_> = asked.collect();
    let most = Arc::new(AtomicUsize::new(0));
    let watch = tokio::spawn(look(client.clone(), most.clone()));
    let mut slots = Slots { slots: SLOTS as usize, ..Slots::default() };
    for one in join_all(asked).await {
        match one.map_err(environment)? {
            Some(true) => slots.answered += 1,
            Some(false) => slots.faulted += 1,
            None => slots.cancelled += 1,
        }
    }
    watch.abort();
    slots.most = most.load(Ordering::SeqCst);
    for provider in client.slots() {
        slots.held += provider.held;
        slots.waiting += provider.waiting;
    }
    Ok(slots)
}

/// Looks again and again how many slots are held.
async fn look(client: Client, most: Arc<AtomicUsize>) {
    loop {
        let held = client.slots().iter().map(|provider| provider.held).sum();
        most.fetch_max(held, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn client(url: &str) -> Result<Client, CliError> {
    let model = ModelSettings {
        provider: Some(Provider::Replay),
        base_url: Some(url.to_owned()),
        model: Some("local".to_owned()),
        idle_timeout_ms: Some(IDLE_MS),
        // The breaker is not what is looked at here.
        cool_down_ms: Some(1),
        ..ModelSettings::default()
    };
    let slots = SlotSettings { start: SLOTS, provider: SLOTS, ..SlotSettings::default() };
    let settings = Settings { default: Some(model), slots, ..Settings::default() };
    Client::new(&settings).map_err(environment)
}

/// Whether it was answered; `None` when it was cancelled before.
async fn ask(client: &Client, kind: &str, number: usize) -> Option<bool> {
    let session = format!("{kind}/{number}");
    let messages = [Message::User { text: kind.to_owned() }];
    let request = Request {
        role: Role::Worker,
        blocks: 0,
        session: &session,
        system: "",
        tools: &[],
        pinned: 0,
        messages: &messages,
        held: None,
    };
    let asking = async {
        loop {
            match client.complete(&request, &mut |_| {}).await {
                // Held back by the breaker, which others opened: nothing was sent, and it asks again.
                Err(fault) if fault.unsent => tokio::time::sleep(HELD).await,
                other => return other.is_ok(),
            }
        }
    };
    match kind {
        "cancel" => tokio::time::timeout(Duration::from_millis(number as u64), asking).await.ok(),
        _ => Some(asking.await),
    }
}

fn answer(request: &ReceivedRequest) -> Answer {
    let session = request.session.as_deref().unwrap_or_default();
    let error = |status| Answer::Error { status, message: "not now".to_owned() };
    match session.split('/').next().unwrap_or_default() {
        "answer" => {
            Answer::Turn(ScriptedTurn { text: "yes".to_owned(), ..ScriptedTurn::default() })
        }
        "error" => error(400),
        "refuse" => error(429),
        _ => Answer::Hang,
    }
}
