//! Which endpoint a role's request goes to: its own, or the fallback while its own fails. The breakers decide.
//!
//! One question is at most one request: a request that failed is not sent elsewhere here. Its fault says that another
//! model stands in, and whoever asked asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};

use super::breaker::{Breaker, FAILURES, FAILURES_WITH_FALLBACK, Held};
use super::decode::{OnProgress, Progress};
use super::endpoint::Endpoint;
use super::fault::{Fault, FaultKind, Health};
use super::pool::{Entrance, PATIENCE, Place, Pool, Pools, Shut, SlotSettings, Told};
use super::request::Request;
use crate::mission::conversation::Turn;
use crate::mission::provider::Server;

/// One way to a model.
pub(crate) struct Route {
    pub(crate) http: reqwest::Client,
    pub(crate) endpoint: Endpoint,
    pub(crate) server: Server,
    breaker: Arc<Mutex<Breaker>>,
    entrance: Entrance,
}

/// The ways of one role, in the order of preference.
pub(crate) struct Routes(Vec<Route>);

/// What the routes of all roles share. A breaker is that of one model at one address, whoever asks it with the same key:
/// another key may be refused, or out of credit, for itself. The slots are those of an address and a key.
pub(crate) struct Shared {
    breakers: BTreeMap<(Asked, bool), Arc<Mutex<Breaker>>>,
    pools: Pools<Account>,
}

/// An address without its path, and the headers with the key.
type Account = (String, Vec<(String, Vec<u8>)>);

/// An address, a model, and the headers with the key.
type Asked = (String, String, Vec<(String, Vec<u8>)>);

fn asked(endpoint: &Endpoint) -> Asked {
    let header = |(name, value): (&HeaderName, &HeaderValue)| {
        (name.as_str().to_owned(), value.as_bytes().to_owned())
    };
    let mut headers: Vec<_> = endpoint.headers.iter().map(header).collect();
    headers.sort();
    (endpoint.url.to_string(), endpoint.model.clone(), headers)
}

fn account(endpoint: &Endpoint) -> Account {
    (endpoint.url.origin().ascii_serialization(), asked(endpoint).2)
}

impl Shared {
    pub(crate) fn new(slots: &SlotSettings) -> Shared {
        Shared { breakers: BTreeMap::new(), pools: Pools::new(slots.clone()) }
    }

    /// The slots of all providers.
    pub(crate) fn into_pools(self) -> Vec<Pool> {
        self.pools.into_all()
    }

    fn entrance(&mut self, endpoint: &Endpoint) -> Entrance {
        let host = endpoint.url.host_str().unwrap_or_default();
        self.pools.of(account(endpoint), host, &endpoint.model, endpoint.slots)
    }

    fn breaker(&mut self, endpoint: &Endpoint, has_fallback: bool) -> Arc<Mutex<Breaker>> {
        let key = (asked(endpoint), has_fallback);
        let limit = if has_fallback { FAILURES_WITH_FALLBACK } else { FAILURES };
        let breaker = || Arc::new(Mutex::new(Breaker::new(limit, endpoint.cool_down)));
        self.breakers.entry(key).or_insert_with(breaker).clone()
    }
}

/// A request that was let through. Dropped without a result, it leaves room for the next.
pub(crate) struct Permit<'a>(Option<&'a Mutex<Breaker>>);

impl Routes {
    /// The routes over these endpoints: the role's own, and its fallback.
    pub(crate) fn new(endpoints: Vec<(reqwest::Client, Endpoint)>, shared: &mut Shared) -> Routes {
        let last = endpoints.len().saturating_sub(1);
        let route = |(at, (http, endpoint)): (usize, (reqwest::Client, Endpoint))| Route {
            server: Server { name: endpoint.label(), is_fallback: at > 0 },
            breaker: shared.breaker(&endpoint, at < last),
            entrance: shared.entrance(&endpoint),
            http,
            endpoint,
        };
        Routes(endpoints.into_iter().enumerate().map(route).collect())
    }

    /// The role's own endpoint.
    pub(crate) fn first(&self) -> Option<&Route> {
        self.0.first()
    }

    /// Waits for a slot of the first way that is open, and goes in; while the request is held it takes none.
    pub(crate) async fn enter(
        &self,
        request: &Request<'_>,
        on_progress: &mut OnProgress<'_>,
    ) -> Result<Entered<'_>, Fault> {
        let mut waits = false;
        loop {
            request.until_held(false).await;
            let route = self.open(Instant::now())?;
            let mut tell = |told| match told {
                Told::Waits if !waits => {
                    waits = true;
                    on_progress(Progress::Waits);
                }
                Told::Waits => {}
                Told::Goes => {
                    waits = false;
                    on_progress(Progress::Goes);
                }
            };
            let place = tokio::select! {
                place = route.entrance.enter(request.role, request.blocks, &mut tell) => place,
                () = request.until_held(true) => continue,
            };
            let place = place.map_err(|shut| shut_out(route, &shut))?;
            if request.is_held() {
                continue;
            }
            // While it waited, the breaker may have opened: then it looks again, and its slot is another's.
            if route.lock().admit(Instant::now()).is_ok() {
                if waits {
                    on_progress(Progress::Goes);
                }
                return Ok(Entered { route, permit: Permit(Some(&route.breaker)), place });
            }
        }
    }

    /// The first way that is open.
    fn open(&self, now: Instant) -> Result<&Route, Fault> {
        let mut held: Option<(&Route, Held)> = None;
        for route in &self.0 {
            match route.lock().peek(now) {
                Ok(()) => return Ok(route),
                Err(why) if held.as_ref().is_none_or(|(_, other)| why.wait < other.wait) => {
                    held = Some((route, why));
                }
                Err(_) => {}
            }
        }
        Err(held.map_or_else(|| Fault::new(FaultKind::Configuration, "no model"), not_asked))
    }

    /// Marks a result with who gave it, and a fault with who stands in.
    pub(crate) fn mark(
        &self,
        route: &Route,
        result: Result<Turn, Fault>,
        now: Instant,
    ) -> Result<Turn, Fault> {
        match result {
            Ok(turn) => Ok(Turn { by: Some(Box::new(route.server.clone())), ..turn }),
            Err(fault) => {
                let stands_in =
                    |other: &&Route| !std::ptr::eq(*other, route) && !other.lock().is_open(now);
                let is_out = fault.kind.health() != Health::Alive && route.lock().is_open(now);
                let other = self.0.iter().find(stands_in).filter(|_| is_out);
                Err(Fault {
                    by: Some(Box::new(route.server.clone())),
                    instead: other.map(|other| other.server.name.clone()),
                    ..fault
                })
            }
        }
    }

    /// Whether another model can stand in for this one.
    fn has_other(&self) -> bool {
        self.0.len() > 1
    }

    /// Tells the slots and the breaker how a request went. `began` is how long it took until an answer began.
    pub(crate) fn settle(
        &self,
        mut permit: Permit<'_>,
        place: Place,
        began: Option<Duration>,
        result: &Result<Turn, Fault>,
    ) {
        match (result.as_ref().map_err(|fault| fault.kind), began) {
            (Err(FaultKind::RateLimited | FaultKind::Overloaded | FaultKind::Stalled), _) => {
                let wish = result.as_ref().err().and_then(|fault| fault.retry_after_ms);
                place.congested(Duration::from_millis(wish.unwrap_or(0)));
            }
            (Ok(_), Some(began)) => place.succeeded(began),
            _ => drop(place),
        }
        let Some(breaker) = permit.0.take() else {
            return;
        };
        let mut breaker = lock(breaker);
        match result.as_ref().map_err(|fault| (fault, fault.kind.health())) {
            Err((fault, Health::Failing)) => {
                let wish = Duration::from_millis(fault.retry_after_ms.unwrap_or(0));
                // Nobody waits that long while another model can answer.
                let at_once = self.has_other() && wish > PATIENCE;
                breaker.fail(Instant::now(), &fault.message, wish, at_once);
            }
            Err((fault, Health::Unusable)) if self.has_other() => {
                breaker.fail(Instant::now(), &fault.message, Duration::ZERO, true);
            }
            _ => breaker.succeed(),
        }
    }
}

/// A request that may go out: where to, past the breaker, and with a slot.
pub(crate) struct Entered<'a> {
    pub(crate) route: &'a Route,
    pub(crate) permit: Permit<'a>,
    pub(crate) place: Place,
}

impl Route {
    fn lock(&self) -> MutexGuard<'_, Breaker> {
        lock(&self.breaker)
    }
}

/// A breaker is consistent after every one of its moves, whoever panicked.
fn lock(breaker: &Mutex<Breaker>) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fault of a request that was not sent, because its provider has failed too often.
fn not_asked((route, held): (&Route, Held)) -> Fault {
    let why = format!("after {} failures in a row; the last: {}", held.failures, held.last);
    unsent(route, held.wait, &why)
}

/// The fault of a request that was not sent, because its provider wants to be left alone by everybody.
fn shut_out(route: &Route, shut: &Shut) -> Fault {
    unsent(route, shut.0, "as it asked for")
}

fn unsent(route: &Route, wait: Duration, why: &str) -> Fault {
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    let text = format!("{} is not asked for {:.1} s, {why}", route.server.name, ms as f64 / 1000.0);
    Fault {
        retry_after_ms: Some(ms),
        by: Some(Box::new(route.server.clone())),
        unsent: true,
        ..Fault::new(FaultKind::Held, text).sealed([])
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        if let Some(breaker) = self.0.take() {
            lock(breaker).abandon(Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mission::conversation::Role;

    #[test]
    fn a_key_that_is_refused_says_nothing_of_another_key() {
        let endpoint = |key: &str| {
            let settings = serde_json::json!({"model": "m", "base_url": "http://127.0.0.1:1/v1", "api_key": key});
            Endpoint::resolve(Role::Worker, &serde_json::from_value(settings).unwrap()).unwrap()
        };
        let mut shared = Shared::new(&SlotSettings::default());
        let bad = shared.breaker(&endpoint("bad"), true);
        let now = Instant::now();
        lock(&bad).fail(now, "401", Duration::ZERO, true);
        assert!(lock(&shared.breaker(&endpoint("bad"), true)).is_open(now), "whoever asks");
        assert!(!lock(&shared.breaker(&endpoint("good"), true)).is_open(now));
    }
}
