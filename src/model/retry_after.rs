//! How long a provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as an HTTP date.
//!
//! The form of the date is IMF-fixdate of RFC 9110, section 5.6.7; the two obsolete forms are not sent by any provider.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use reqwest::header::HeaderMap;

/// The wish in milliseconds, if there is one. `now` is what a date is compared with; a date in the past gives 0.
pub(crate) fn retry_after_ms(headers: &HeaderMap, now: SystemTime) -> Option<u64> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(wish) = text("retry-after-ms").and_then(|ms| scaled(ms, 1.0)) {
        return Some(wish);
    }
    let wish = text("retry-after")?;
    scaled(wish, 1000.0).or_else(|| {
        let date = parse_date(wish)?;
        let wait = date.duration_since(now).unwrap_or(Duration::ZERO);
        u64::try_from(wait.as_millis()).ok()
    })
}

fn scaled(number: &str, factor: f64) -> Option<u64> {
    let value: f64 = number.parse().ok()?;
    // The cast saturates, which is what an absurd wish deserves.
    (value.is_finite() && value >= 0.0).then(|| (value * factor).ceil() as u64)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
fn parse_date(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let mut parts = text.split_once(", ")?.1.split(' ');
    let day: i64 = parts.next()?.parse().ok()?;
    let month = MONTHS.find(parts.next().filter(|name| name.len() == 3)?)?;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':');
    let mut unit = |limit: i64| -> Option<i64> {
        let value = clock.next()?.parse().ok()?;
        (0..=limit).contains(&value).then_some(value)
    };
    let (hour, minute, second) = (unit(23)?, unit(59)?, unit(60)?);
    let plausible = month % 3 == 0 && (1..=31).contains(&day) && (1970..=9999).contains(&year);
    if !plausible || parts.next() != Some("GMT") {
        return None;
    }
    let days = days_since_epoch(year, month as i64 / 3 + 1, day);
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

    fn wish(name: &'static str, value: &'static str, now: u64) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        retry_after_ms(&headers, UNIX_EPOCH + Duration::from_secs(now))
    }

    #[test]
    fn seconds_milliseconds_and_dates() {
        assert_eq!(wish("retry-after", "7", 0), Some(7000));
        assert_eq!(wish("retry-after", "0.5", 0), Some(500));
        assert_eq!(wish("retry-after-ms", "1234", 0), Some(1234));
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(wish("retry-after", date, 784_111_777 - 5), Some(5000));
        assert_eq!(wish("retry-after", date, 784_111_777 + 5), Some(0));
        let leap = "Thu, 29 Feb 2024 00:00:00 GMT";
        assert_eq!(wish("retry-after", leap, 1_709_164_799), Some(1000));
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
