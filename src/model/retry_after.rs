//! How long a provider asks to wait, from the headers of its refusal.
//!
//! | header | form | who sends it |
//! |---|---|---|
//! | `retry-after-ms` | milliseconds | Azure OpenAI; read by OpenAI's own client libraries |
//! | `retry-after` | seconds, or an HTTP date | RFC 9110, section 10.2.3; OpenAI, Anthropic, every proxy |
//! | `anthropic-ratelimit-{requests,tokens,input-tokens,output-tokens}-{remaining,reset}` | RFC 3339 | Anthropic |
//! | `x-ratelimit-{remaining,reset}-{requests,tokens}` | a length of time, `6m0s` or `20ms`; seconds at Azure | OpenAI |
//!
//! The limits' headers stand on every answer, so they count at a 429 only, and only those of a limit that is used up.
//! A date is compared with the answer's own `date`: a clock that is wrong here, or jumps, does not matter.
//!
//! Sources: <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>, <https://docs.claude.com/en/api/rate-limits>,
//! <https://platform.openai.com/docs/guides/rate-limits>,
//! <https://github.com/openai/openai-python/blob/main/src/openai/_base_client.py>.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;

const ANTHROPIC: [&str; 4] = ["requests", "tokens", "input-tokens", "output-tokens"];
const OPENAI: [&str; 2] = ["requests", "tokens"];

/// The wish in milliseconds, if there is one. A date in the past gives 0. `local` is what dates are compared with where
/// the answer has none of its own.
pub(crate) fn retry_after_ms(headers: &HeaderMap, status: u16, local: SystemTime) -> Option<u64> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    let now = text("date").and_then(http_date).unwrap_or(local);
    let until = |date: SystemTime| {
        let wait = date.duration_since(now).unwrap_or(Duration::ZERO);
        u64::try_from(wait.as_millis()).ok()
    };
    if let Some(wish) = text("retry-after-ms").and_then(|ms| scaled(ms, 1.0)) {
        return Some(wish);
    }
    let after = text("retry-after");
    if let Some(wish) =
        after.and_then(|wish| scaled(wish, 1000.0).or_else(|| until(http_date(wish)?)))
    {
        return Some(wish);
    }
    if status != 429 {
        return None;
    }
    let is_used_up =
        |name: String| text(&name).and_then(|left| left.parse::<f64>().ok()) == Some(0.0);
    let dated = ANTHROPIC.iter().filter_map(|limit| {
        is_used_up(format!("anthropic-ratelimit-{limit}-remaining")).then_some(())?;
        until(timestamp(text(&format!("anthropic-ratelimit-{limit}-reset"))?)?)
    });
    let timed = OPENAI.iter().filter_map(|limit| {
        is_used_up(format!("x-ratelimit-remaining-{limit}")).then_some(())?;
        length(text(&format!("x-ratelimit-reset-{limit}"))?)
    });
    dated.chain(timed).max()
}

fn scaled(number: &str, factor: f64) -> Option<u64> {
    let value: f64 = number.parse().ok()?;
    // The cast saturates, which is what an absurd wish deserves.
    (value.is_finite() && value >= 0.0).then(|| (value * factor).ceil() as u64)
}

/// `1h2m3.5s`, `20ms`, or seconds without a unit.
fn length(text: &str) -> Option<u64> {
    if let Some(seconds) = scaled(text, 1000.0) {
        return Some(seconds);
    }
    let (mut rest, mut total) = (text, 0u64);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(digits);
        let unit = tail.find(|c: char| c.is_ascii_digit()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let factor = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            _ => return None,
        };
        total = total.saturating_add(scaled(number, factor)?);
        rest = tail;
    }
    Some(total)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`: IMF-fixdate of RFC 9110, section 5.6.7; the two obsolete forms are not sent by any
/// provider.
fn http_date(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day: i64 = parts.next()?.parse().ok()?;
    let month = MONTHS.find(parts.next().filter(|name| name.len() == 3)?)?;
    let year: i64 = parts.next()?.parse().ok()?;
    let clock = parts.next()?;
    if month % 3 != 0 || parts.next() != Some("GMT") {
        return None;
    }
    moment((year, month as i64 / 3 + 1, day), clock)
}

/// `1994-11-06T08:49:37Z`: RFC 3339 in universal time, a fraction of the second passed over.
fn timestamp(text: &str) -> Option<SystemTime> {
    let (date, clock) = text.strip_suffix(['Z', 'z'])?.split_once(['T', 't'])?;
    let mut parts = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let date = (parts.next()??, parts.next()??, parts.next()??);
    moment(date, clock.split('.').next()?)
}

fn moment((year, month, day): (i64, i64, i64), clock: &str) -> Option<SystemTime> {
    let mut clock = clock.split(':');
    let mut unit = |limit: i64| -> Option<i64> {
        let value = clock.next()?.parse().ok()?;
        (0..=limit).contains(&value).then_some(value)
    };
    let (hour, minute, second) = (unit(23)?, unit(59)?, unit(60)?);
    let plausible =
        (1..=12).contains(&month) && (1..=31).contains(&day) && (1970..=9999).contains(&year);
    if !plausible {
        return None;
    }
    let days = days_since_epoch(year, month, day);
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    Some(UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).ok()?))
}

/// Days from 1970-01-01 in the Gregorian calendar; the year is counted from March so that leap days come last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wishes(pairs: &[(&'static str, &'static str)], status: u16, now: u64) -> Option<u64> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        retry_after_ms(&headers, status, UNIX_EPOCH + Duration::from_secs(now))
    }

    fn wish(name: &'static str, value: &'static str, now: u64) -> Option<u64> {
        wishes(&[(name, value)], 503, now)
    }

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn seconds_milliseconds_and_dates() {
        assert_eq!(wish("retry-after", "7", 0), Some(7000));
        assert_eq!(wish("retry-after", "0.5", 0), Some(500));
        assert_eq!(wish("retry-after-ms", "1234", 0), Some(1234));
        assert_eq!(wish("retry-after", DATE, 784_111_777 - 5), Some(5000));
        assert_eq!(wish("retry-after", DATE, 784_111_777 + 5), Some(0));
        let leap = "Thu, 29 Feb 2024 00:00:00 GMT";
        assert_eq!(wish("retry-after", leap, 1_709_164_799), Some(1000));
    }

    #[test]
    fn a_date_is_compared_with_the_answers_own() {
        let pairs = [("retry-after", DATE), ("date", "Sun, 06 Nov 1994 08:49:07 GMT")];
        for now in [0, 784_111_777, 9_999_999_999] {
            assert_eq!(wishes(&pairs, 503, now), Some(30_000));
        }
    }

    #[test]
    fn limits_that_are_used_up_say_when_they_end() {
        let anthropic = [
            ("date", "Sun, 06 Nov 1994 08:49:07 GMT"),
            ("anthropic-ratelimit-requests-remaining", "12"),
            ("anthropic-ratelimit-requests-reset", "1994-11-06T09:49:37Z"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "1994-11-06T08:49:37.25Z"),
        ];
        assert_eq!(wishes(&anthropic, 429, 0), Some(30_000));
        assert_eq!(wishes(&anthropic, 500, 0), None);
        let openai = |reset| {
            wishes(
                &[("x-ratelimit-remaining-tokens", "0"), ("x-ratelimit-reset-tokens", reset)],
                429,
                0,
            )
        };
        assert_eq!(openai("6m0s"), Some(360_000));
        assert_eq!(openai("20ms"), Some(20));
        assert_eq!(openai("1h0m1.5s"), Some(3_601_500));
        assert_eq!(openai("9"), Some(9000));
        assert_eq!(openai("soon"), None);
    }

    #[test]
    fn nonsense_is_no_wish() {
        for value in [
            "",
            "-1",
            "soon",
            "NaN",
            "inf",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "Sun, 06 anF 1994 08:49:37 GMT",
        ] {
            assert_eq!(wish("retry-after", value, 0), None, "{value}");
        }
    }
}
