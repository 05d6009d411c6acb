use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// The text displayed in place of a secret.
const HIDDEN: &str = "[hidden]";

/// A password or token. It is always displayed as `[hidden]`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

/// How a client logs in to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Without a login.
    None,
    /// HTTP Basic.
    Basic {
        /// The user's name.
        username: String,
        /// The password, or the access token that hosted servers accept as one.
        password: Secret,
    },
    /// `Authorization: Bearer`.
    Bearer(Secret),
}

impl Credentials {
    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Basic { username, password } => {
                let login = format!("{username}:{}", password.expose());
                Some(format!("Basic {}", BASE64_STANDARD.encode(login)))
            }
            Self::Bearer(token) => Some(format!("Bearer {}", token.expose())),
        }
    }

    /// Removes the secrets from a text from outside, such as the error page of a proxy that quotes
    /// the request.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        let header = self.header();
        let encoded = header.as_deref().and_then(|header| header.split_once(' '));
        let plain = match self {
            Self::None => None,
            Self::Basic { password, .. } => Some(password.expose()),
            Self::Bearer(token) => Some(token.expose()),
        };
        [encoded.map(|(_, value)| value), plain]
            .into_iter()
            .flatten()
            .filter(|secret| !secret.is_empty())
            .fold(text.to_owned(), |text, secret| text.replace(secret, HIDDEN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn basic() -> Credentials {
        Credentials::Basic { username: "Aladdin".into(), password: Secret::new("open sesame") }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hush");
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "[hidden] [hidden] [hidden]");
        let shown = format!("{:?} {:?}", basic(), Credentials::Bearer(secret));
        assert!(!shown.contains("sesame") && !shown.contains("hush"), "{shown}");
    }

    #[test]
    fn headers_are_those_of_rfc_7617_and_rfc_6750() {
        assert_eq!(basic().header().unwrap(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_eq!(Credentials::Bearer(Secret::new("t")).header().unwrap(), "Bearer t");
        assert_eq!(Credentials::None.header(), None);
    }

    #[test]
    fn a_page_that_quotes_the_request_is_cleaned() {
        let page = "denied: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ== is Aladdin, open sesame";
        assert_eq!(basic().hide_in(page), "denied: Basic [hidden] is Aladdin, [hidden]");
        assert_eq!(Credentials::None.hide_in("as it was"), "as it was");
    }
}
