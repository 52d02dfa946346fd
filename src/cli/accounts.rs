//! The accounts of a mission in words: who was asked how often, what it cost, how long it took, how well it went.

use crate::mission::accounts::Account;
use crate::mission::view::MissionView;

/// The accounts by model, by role, and of the open sessions; a line each.
pub(super) fn lines(view: &MissionView) -> Vec<String> {
    let models = view.providers.iter().map(|(name, account)| of(name, account));
    // A single role says what its model says already.
    let roles = view.roles.iter().filter(|_| view.roles.len() > 1);
    let roles = roles.map(|(role, account)| of(role.name(), account));
    let sessions = view.sessions.iter().map(|session| {
        let item = session.item.as_ref().map_or(String::new(), |item| format!(" {item}"));
        let name = format!("session {} ({}{item}, {})", session.id, session.role, session.activity);
        of(&name, &session.account)
    });
    models.chain(roles).chain(sessions).map(|line| format!("  {line}")).collect()
}

/// One account.
fn of(name: &str, account: &Account) -> String {
    let (usage, latency) = (&account.usage, &account.latency);
    let mut text = format!(
        "{name}: {} requests, {} turns ({} recovered), {} failed",
        account.requests, account.turns, account.recovered, account.failed
    );
    if let Some(rate) = account.rate() {
        text += &format!(", {:.1} % of the turns wanted", rate * 100.0);
    }
    if account.requests > 0 {
        let money = usage.micro_usd as f64 / 1e6;
        let (cached, out) = (usage.cached, usage.output);
        text += &format!(
            "; {} tokens in ({cached} cached), {out} out, {money:.4} US dollars",
            usage.input
        );
    }
    if latency.turns() > 0 {
        let seconds = |q| latency.quantile_ms(q) as f64 / 1000.0;
        text += &format!("; a turn took {:.2} s (p50), {:.2} s (p95)", seconds(0.5), seconds(0.95));
    }
    text
}
