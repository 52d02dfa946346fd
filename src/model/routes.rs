//! Which endpoint a role's request goes to: its own, or the fallback while its own fails. The breakers decide.
//!
//! One question is at most one request: a request that failed is not sent elsewhere here. Its fault says that another
//! model stands in, and whoever asked asks again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderName, HeaderValue};

use super::breaker::{Breaker, FAILURES, FAILURES_WITH_FALLBACK, Held};
use super::endpoint::Endpoint;
use super::fault::{Fault, FaultKind, Health};
use crate::mission::conversation::Turn;
use crate::mission::provider::Server;

/// The longest wait that a provider may ask for before its fallback is asked at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// One way to a model.
pub(crate) struct Route {
    pub(crate) http: reqwest::Client,
    pub(crate) endpoint: Endpoint,
    pub(crate) server: Server,
    breaker: Arc<Mutex<Breaker>>,
}

/// The ways of one role, in the order of preference.
pub(crate) struct Routes(Vec<Route>);

/// The breakers of all providers: a provider is one model at one address, whoever asks it with the same key. Another key
/// may be refused, or out of credit, for itself.
#[derive(Default)]
pub(crate) struct Breakers(BTreeMap<(Asked, bool), Arc<Mutex<Breaker>>>);

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

impl Breakers {
    fn of(&mut self, endpoint: &Endpoint, has_fallback: bool) -> Arc<Mutex<Breaker>> {
        let key = (asked(endpoint), has_fallback);
        let limit = if has_fallback { FAILURES_WITH_FALLBACK } else { FAILURES };
        let breaker = || Arc::new(Mutex::new(Breaker::new(limit, endpoint.cool_down)));
        self.0.entry(key).or_insert_with(breaker).clone()
    }
}

/// A request that was let through. Dropped without a result, it leaves room for the next.
pub(crate) struct Permit<'a>(Option<&'a Mutex<Breaker>>);

impl Routes {
    /// The routes over these endpoints: the role's own, and its fallback.
    pub(crate) fn new(
        endpoints: Vec<(reqwest::Client, Endpoint)>,
        breakers: &mut Breakers,
    ) -> Routes {
        let last = endpoints.len().saturating_sub(1);
        let route = |(at, (http, endpoint)): (usize, (reqwest::Client, Endpoint))| Route {
            server: Server { name: endpoint.label(), is_fallback: at > 0 },
            breaker: breakers.of(&endpoint, at < last),
            http,
            endpoint,
        };
        Routes(endpoints.into_iter().enumerate().map(route).collect())
    }

    /// The role's own endpoint.
    pub(crate) fn first(&self) -> Option<&Route> {
        self.0.first()
    }

    /// The first way that is open.
    pub(crate) fn choose(&self, now: Instant) -> Result<(&Route, Permit<'_>), Fault> {
        let mut held: Option<(&Route, Held)> = None;
        for route in &self.0 {
            match route.lock().admit(now) {
                Ok(()) => return Ok((route, Permit(Some(&route.breaker)))),
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
            Ok(turn) => Ok(Turn { by: Some(route.server.clone()), ..turn }),
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

    /// Tells the breaker how a request went.
    pub(crate) fn settle(&self, mut permit: Permit<'_>, result: &Result<Turn, Fault>) {
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

impl Route {
    fn lock(&self) -> MutexGuard<'_, Breaker> {
        lock(&self.breaker)
    }
}

/// A breaker is consistent after every one of its moves, whoever panicked.
fn lock(breaker: &Mutex<Breaker>) -> MutexGuard<'_, Breaker> {
    breaker.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The fault of a request that was not sent.
fn not_asked((route, held): (&Route, Held)) -> Fault {
    let ms = u64::try_from(held.wait.as_millis()).unwrap_or(u64::MAX);
    let text = format!(
        "{} is not asked for {:.1} s, after {} failures in a row; the last: {}",
        route.server.name,
        ms as f64 / 1000.0,
        held.failures,
        held.last
    );
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
        let mut breakers = Breakers::default();
        let bad = breakers.of(&endpoint("bad"), true);
        let now = Instant::now();
        lock(&bad).fail(now, "401", Duration::ZERO, true);
        assert!(lock(&breakers.of(&endpoint("bad"), true)).is_open(now), "whoever asks");
        assert!(!lock(&breakers.of(&endpoint("good"), true)).is_open(now));
    }
}
