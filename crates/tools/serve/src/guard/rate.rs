//! Limits the requests a minute from one caller.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use crate::error::{Code, Failure};

/// Above this number of callers, those without recent requests are forgotten.
const REMEMBERED: usize = 10_000;

/// Requests a minute from one address to routes without a key, if fewer are allowed with one.
const OPEN: u32 = 3000;

/// Counts requests of each caller by the generic cell rate algorithm: the requests of a minute may
/// come at once, then they must keep to the rate.
#[derive(Debug)]
pub(crate) struct RateLimit {
    limiter: Option<DefaultKeyedRateLimiter<String>>,
}

impl RateLimit {
    /// With `requests_per_minute` 0 there is no limit.
    pub(crate) fn new(requests_per_minute: u32) -> Self {
        let quota = NonZeroU32::new(requests_per_minute).map(Quota::per_minute);
        Self { limiter: quota.map(RateLimiter::keyed) }
    }

    /// For routes without a key: the page, its files, the API's description. A page has some
    /// seventy files, and many people may come through one proxy.
    pub(crate) fn of_open(requests_per_minute: u32) -> Self {
        Self::new(if requests_per_minute == 0 { 0 } else { requests_per_minute.max(OPEN) })
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When the caller sends too many; it contains the time to wait.
    pub(crate) fn count(&self, caller: &str) -> Result<(), Failure> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if limiter.len() > REMEMBERED {
            limiter.retain_recent();
        }
        limiter.check_key(&caller.to_owned()).map_err(|early| {
            let wait: Duration = early.wait_time_from(DefaultClock::default().now());
            let message = "too many requests in a minute (serve.limits.requests_per_minute)";
            Failure::new(Code::RateLimited, message).retry_after(wait)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_too_many_does_not_stop_another() {
        let rate = RateLimit::new(3);
        for _ in 0..3 {
            rate.count("ward").unwrap();
        }
        assert_eq!(rate.count("ward").unwrap_err().code(), Code::RateLimited);
        rate.count("clinic").unwrap();
    }

    #[test]
    fn no_limit_lets_everything_through() {
        let rate = RateLimit::new(0);
        assert!((0..10_000).all(|_| rate.count("ward").is_ok()));
    }
}
