use std::time::Duration;

use crate::Result;

/// No pause is longer than this; if a server asks for a longer one, the request fails.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// How often a request is retried after a failure that may pass, and with which pauses: as urllib3
/// does for the Python client.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RetryPolicy {
    /// Number of further attempts.
    pub max_retries: u32,
    /// The pauses are 0, 2, 4, 8, … times this many seconds.
    pub backoff_factor: f64,
    /// Up to this many seconds, drawn anew each time, are added to every pause except the first.
    pub backoff_jitter_seconds: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_retries: 7, backoff_factor: 2.0, backoff_jitter_seconds: 1.0 }
    }
}

impl RetryPolicy {
    /// Only one attempt.
    pub const NEVER: Self =
        Self { max_retries: 0, backoff_factor: 0.0, backoff_jitter_seconds: 0.0 };

    /// Makes attempts until one succeeds, fails for good, or no more are allowed. An attempt gets
    /// the number of failures before it.
    pub(crate) fn run<T>(&self, mut attempt: impl FnMut(u32) -> Result<T>) -> Result<T> {
        let mut failed = 0;
        loop {
            let error = match attempt(failed) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            failed += 1;
            let asked = error.retry_after();
            let too_long = asked.is_some_and(|pause| pause > LONGEST_PAUSE);
            if !error.is_passing() || failed > self.max_retries || too_long {
                return Err(error);
            }
            let pause = asked.unwrap_or_else(|| self.pause(failed, rand::random()));
            tracing::debug!("{error}; trying again in {:.1} s", pause.as_secs_f64());
            std::thread::sleep(pause);
        }
    }

    /// The pause after this many failures in a row; `drawn` is between 0 and 1.
    pub(crate) fn pause(&self, failed: u32, drawn: f64) -> Duration {
        if failed <= 1 {
            return Duration::ZERO;
        }
        let doubled = self.backoff_factor * 2_f64.powi(failed.min(32) as i32 - 1);
        let seconds = doubled + drawn * self.backoff_jitter_seconds;
        Duration::from_secs_f64(seconds.clamp(0.0, LONGEST_PAUSE.as_secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;
    use crate::{Error, Failure};

    fn answered(status: u16, retry_after: Option<Duration>) -> Error {
        let failure = Failure::Answered {
            status: StatusCode::from_u16(status).unwrap(),
            code: None,
            message: String::new(),
            advice: None,
            retry_after,
        };
        Error::request("try", String::new(), failure)
    }

    #[test]
    fn pauses_are_those_of_urllib3() {
        let policy =
            RetryPolicy { max_retries: 9, backoff_factor: 2.0, backoff_jitter_seconds: 1.0 };
        let seconds: Vec<f64> =
            (1..=8).map(|failed| policy.pause(failed, 0.5).as_secs_f64()).collect();
        assert_eq!(seconds, [0.0, 4.5, 8.5, 16.5, 32.5, 64.5, 120.0, 120.0]);
        assert_eq!(policy.pause(u32::MAX, 1.0), LONGEST_PAUSE);
    }

    #[test]
    fn what_may_pass_is_tried_again_as_often_as_allowed() {
        let policy = RetryPolicy { max_retries: 3, ..RetryPolicy::NEVER };
        for (status, expected) in [(429, 4), (503, 4), (400, 1), (403, 1), (501, 1)] {
            let mut attempts = 0;
            let result: Result<()> = policy.run(|failed| {
                assert_eq!(failed, attempts);
                attempts += 1;
                Err(answered(status, None))
            });
            assert!(result.is_err());
            assert_eq!(attempts, expected, "after status {status}");
        }
    }

    #[test]
    fn nobody_waits_an_hour_for_a_server() {
        let policy = RetryPolicy { max_retries: 3, ..RetryPolicy::NEVER };
        let mut attempts = 0;
        let result: Result<()> = policy.run(|_| {
            attempts += 1;
            Err(answered(429, Some(Duration::from_secs(3600))))
        });
        let message = result.unwrap_err().to_string();
        assert_eq!(attempts, 1);
        assert!(message.contains("3600 s"), "{message}");
    }
}
