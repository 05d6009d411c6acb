//! Which failures are retried, how often, and after which pause.

use std::time::{Duration, SystemTime};

use config::DownloadConfig;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use url::Url;

use crate::DownloadError;

/// The longest pause a server may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(120);

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// May succeed later.
    Passing {
        error: DownloadError,
        /// The pause the server asks for.
        after: Option<Duration>,
    },
    /// Will fail again.
    Final(DownloadError),
}

impl Failure {
    pub(crate) fn passing(error: DownloadError) -> Self {
        Self::Passing { error, after: None }
    }
}

impl<E: Into<DownloadError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

/// Counts the failures of one download.
#[derive(Debug)]
pub(crate) struct Retries<'a> {
    config: &'a DownloadConfig,
    url: &'a Url,
    failed: u32,
}

impl<'a> Retries<'a> {
    pub(crate) fn new(config: &'a DownloadConfig, url: &'a Url) -> Self {
        Self { config, url, failed: 0 }
    }

    /// Makes attempts until one succeeds or no more are allowed.
    pub(crate) fn run<T>(
        mut self,
        mut attempt: impl FnMut(&mut Self) -> Result<T, Failure>,
    ) -> Result<T, DownloadError> {
        loop {
            match attempt(&mut self) {
                Ok(value) => return Ok(value),
                Err(failure) => std::thread::sleep(self.pause_after(failure)?),
            }
        }
    }

    /// Forgets earlier failures: the transfer makes progress.
    pub(crate) fn start_anew(&mut self) {
        self.failed = 0;
    }

    /// The pause before the next attempt, or the final error.
    fn pause_after(&mut self, failure: Failure) -> Result<Duration, DownloadError> {
        let (error, after) = match failure {
            Failure::Final(error) => return Err(error),
            Failure::Passing { error, after } => (error, after),
        };
        self.failed += 1;
        if self.failed > self.config.retries {
            return Err(match self.failed {
                1 => error,
                attempts => DownloadError::GaveUp { attempts, last: Box::new(error) },
            });
        }
        if let Some(after) = after.filter(|after| *after > LONGEST_PAUSE) {
            return Err(DownloadError::ComeBackLater { address: self.url.into(), after });
        }
        let pause = after.unwrap_or_else(|| backoff(self.config, self.failed));
        tracing::info!(
            "{error}; trying again in {:.1} s ({} of {})",
            pause.as_secs_f64(),
            self.failed,
            self.config.retries
        );
        Ok(pause)
    }
}

/// The configured pause, doubled for every failure after the first.
fn backoff(config: &DownloadConfig, failed: u32) -> Duration {
    let doublings = failed.saturating_sub(1).min(16);
    Duration::from_millis(config.backoff_milliseconds.saturating_mul(1 << doublings))
        .min(LONGEST_PAUSE)
}

/// The pause a server asks for with `Retry-After`: seconds, or a date.
pub(crate) fn asked_pause(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Address;

    fn failure(after: Option<Duration>) -> Failure {
        let url = Url::parse("http://host.example/a.zip").unwrap();
        let error = DownloadError::Broken {
            address: Address::from(&url),
            reason: "connection reset".into(),
        };
        Failure::Passing { error, after }
    }

    fn config() -> DownloadConfig {
        DownloadConfig { timeout_seconds: 1, retries: 4, backoff_milliseconds: 100 }
    }

    #[test]
    fn pauses_double_until_the_retries_are_used_up() {
        let (config, url) = (config(), Url::parse("http://host.example/a.zip").unwrap());
        let mut retries = Retries::new(&config, &url);
        let pauses: Vec<u128> =
            (0..4).map(|_| retries.pause_after(failure(None)).unwrap().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800]);
        let given_up = retries.pause_after(failure(None)).unwrap_err().to_string();
        assert!(given_up.ends_with("connection reset (tried 5 times)"), "{given_up}");
    }

    #[test]
    fn the_server_sets_the_pause_but_not_a_long_one() {
        let (config, url) = (config(), Url::parse("http://host.example/a.zip").unwrap());
        let mut retries = Retries::new(&config, &url);
        let asked = Duration::from_secs(7);
        assert_eq!(retries.pause_after(failure(Some(asked))).unwrap(), asked);
        let hours = Duration::from_secs(7200);
        let refused = retries.pause_after(failure(Some(hours))).unwrap_err().to_string();
        assert!(refused.contains("come back in 120 minutes"), "{refused}");
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let asked = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, text.parse().unwrap());
            asked_pause(&headers)
        };
        assert_eq!(asked("12"), Some(Duration::from_secs(12)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
    }
}
