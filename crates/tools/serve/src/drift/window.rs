//! Windows of time, from midnight UTC.

use jiff::Timestamp;

const HOUR_SECONDS: i64 = 3600;

/// A window: from its first moment until just before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl Window {
    /// The last window that has ended, and the `count` − 1 before it, newest first. `hours` divides
    /// 24.
    pub(super) fn ended(now: Timestamp, hours: u32, count: u32) -> Vec<Self> {
        let length = i64::from(hours) * HOUR_SECONDS;
        let end = now.as_second().div_euclid(length) * length;
        let window = |back: u32| {
            let until = end - i64::from(back) * length;
            Some(Self {
                from: Timestamp::from_second(until - length).ok()?,
                until: Timestamp::from_second(until).ok()?,
            })
        };
        (0..count).filter_map(window).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_follow_each_other_from_midnight() {
        let now: Timestamp = "2026-11-29T13:30:00Z".parse().unwrap();
        let windows = Window::ended(now, 6, 3);
        let times: Vec<_> =
            windows.iter().map(|it| (it.from.to_string(), it.until.to_string())).collect();
        let time = |text: &str| text.to_owned();
        assert_eq!(
            times,
            [
                (time("2026-11-29T06:00:00Z"), time("2026-11-29T12:00:00Z")),
                (time("2026-11-29T00:00:00Z"), time("2026-11-29T06:00:00Z")),
                (time("2026-11-28T18:00:00Z"), time("2026-11-29T00:00:00Z")),
            ]
        );
        let day = Window::ended(now, 24, 1)[0];
        assert_eq!(day.until.to_string(), "2026-11-29T00:00:00Z");
    }
}
