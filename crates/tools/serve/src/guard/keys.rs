//! Identifies callers, and what they may do.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use artifact::Digest;
use axum::http::{HeaderMap, header};
use services::{ApiKeyConfig, Role};
use subtle::ConstantTimeEq;

use crate::error::{Code, Failure};

/// The prefix of every key, by which a leaked one is recognised.
const PREFIX: &str = "hk_";

/// Random bytes of a key.
const KEY_BYTES: usize = 32;

/// The sender of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The key's name; `local` if there are no keys.
    pub(crate) name: String,
    pub(crate) role: Role,
    /// Whose share of the limits they use: the key's, or without keys their address's.
    pub(crate) counted_as: String,
}

/// The known keys, as digests. They are random, not chosen by people, so that a plain SHA-256
/// cannot be reversed by trying words. They may change while the server runs.
#[derive(Debug)]
pub(crate) struct Keys {
    known: RwLock<Arc<[(Digest, Caller)]>>,
    /// Once a key was needed, keys stay needed, even if all are removed: fewer keys never let more
    /// people in.
    needed: AtomicBool,
}

impl Keys {
    /// The keys of the configuration, without revoked ones.
    ///
    /// # Errors
    /// When a digest is invalid.
    pub(crate) fn new(keys: &[ApiKeyConfig], revoked: &[Digest]) -> anyhow::Result<Self> {
        Ok(Self {
            known: RwLock::new(known(keys, revoked)?),
            needed: AtomicBool::new(!keys.is_empty()),
        })
    }

    /// Replaces the known keys. Returns their number.
    ///
    /// # Errors
    /// When a digest is invalid; the keys before then stay.
    pub(crate) fn replace(
        &self,
        keys: &[ApiKeyConfig],
        revoked: &[Digest],
    ) -> anyhow::Result<usize> {
        let known = known(keys, revoked)?;
        let count = known.len();
        self.needed.fetch_or(!keys.is_empty(), Ordering::AcqRel);
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(count)
    }

    /// Whether callers need a key.
    pub(crate) fn are_needed(&self) -> bool {
        self.needed.load(Ordering::Acquire)
    }

    /// Whether there are other callers. Without keys only this machine is served.
    pub(crate) fn are_several(&self) -> bool {
        self.known().len() > 1
    }

    fn known(&self) -> Arc<[(Digest, Caller)]> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The sender of a request with these headers, from this address. Without keys the caller may
    /// do everything: the server then listens only to this machine.
    ///
    /// # Errors
    /// When a key is needed and is missing or unknown.
    pub(crate) fn caller(&self, headers: &HeaderMap, address: &str) -> Result<Caller, Failure> {
        if !self.are_needed() {
            let counted_as = address.to_owned();
            return Ok(Caller { name: "local".into(), role: Role::Admin, counted_as });
        }
        let Some(key) = presented(headers) else {
            let message = "a key is needed: send Authorization: Bearer <key> or X-Api-Key: <key>";
            return Err(Failure::new(Code::Unauthorised, message));
        };
        let digest = Digest::of(key.as_bytes());
        // Every key is compared, so that the time does not reveal which one matched.
        let mut found = None;
        for (known, caller) in self.known().iter() {
            if bool::from(known.as_bytes().ct_eq(digest.as_bytes())) {
                found = Some(caller.clone());
            }
        }
        found.ok_or_else(|| Failure::new(Code::Unauthorised, "unknown key"))
    }
}

fn known(keys: &[ApiKeyConfig], revoked: &[Digest]) -> anyhow::Result<Arc<[(Digest, Caller)]>> {
    let mut known = Vec::with_capacity(keys.len());
    for key in keys {
        let digest = key.sha256.to_lowercase().parse()?;
        if !revoked.contains(&digest) {
            let (name, counted_as) = (key.name.clone(), key.name.clone());
            known.push((digest, Caller { name, role: key.role, counted_as }));
        }
    }
    Ok(known.into())
}

impl Caller {
    /// # Errors
    /// When the caller's role is not sufficient.
    pub(crate) fn may(&self, role: Role) -> Result<(), Failure> {
        if self.role >= role {
            return Ok(());
        }
        let message = format!(
            "the key {:?} has the role {}, and this needs {}",
            self.name,
            name_of(self.role),
            name_of(role)
        );
        Err(Failure::new(Code::Forbidden, message))
    }
}

/// The role's name in config.yaml.
pub(crate) fn name_of(role: Role) -> &'static str {
    match role {
        Role::Predict => "predict",
        Role::Review => "review",
        Role::Admin => "admin",
    }
}

fn presented(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = bearer.and_then(|value| {
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(key.trim())
    });
    bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok()))
}

/// A new key and its digest. The key comes from a cryptographic generator.
pub(crate) fn generate() -> (String, Digest) {
    let mut key = PREFIX.to_owned();
    for byte in rand::random::<[u8; KEY_BYTES]>() {
        write!(key, "{byte:02x}").expect("a string takes whatever is written to it");
    }
    let digest = Digest::of(key.as_bytes());
    (key, digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> (String, Keys) {
        let (key, digest) = generate();
        let config =
            ApiKeyConfig { name: "ward".into(), role: Role::Review, sha256: digest.to_string() };
        (key, Keys::new(&[config], &[]).unwrap())
    }

    fn headers(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())])
    }

    #[test]
    fn a_key_is_known_in_either_header() {
        let (key, keys) = keys();
        for headers in [
            headers("authorization", &format!("Bearer {key}")),
            headers("authorization", &format!("bearer {key}")),
            headers("x-api-key", &key),
        ] {
            assert_eq!(keys.caller(&headers, "::1").unwrap().name, "ward");
        }
    }

    #[test]
    fn a_missing_and_an_unknown_key_are_refused() {
        let (key, keys) = keys();
        for headers in [HeaderMap::new(), headers("x-api-key", &key[..key.len() - 1])] {
            assert_eq!(keys.caller(&headers, "::1").unwrap_err().code(), Code::Unauthorised);
        }
    }

    #[test]
    fn a_role_reaches_as_far_as_it_says() {
        let (key, keys) = keys();
        let caller = keys.caller(&headers("x-api-key", &key), "::1").unwrap();
        caller.may(Role::Predict).unwrap();
        caller.may(Role::Review).unwrap();
        let refused = caller.may(Role::Admin).unwrap_err();
        assert_eq!(refused.code(), Code::Forbidden);
        assert!(refused.message().contains("needs admin"), "{}", refused.message());
    }

    #[test]
    fn taking_all_keys_away_lets_nobody_in() {
        let (key, keys) = keys();
        let named = headers("x-api-key", &key);
        let digest = Digest::of(key.as_bytes());
        let config =
            ApiKeyConfig { name: "ward".into(), role: Role::Review, sha256: digest.to_string() };
        assert_eq!(keys.replace(&[config], &[digest]).unwrap(), 0, "it was revoked");
        assert!(keys.caller(&named, "::1").is_err());
        keys.replace(&[], &[]).unwrap();
        assert!(keys.are_needed());
        assert!(keys.caller(&named, "::1").is_err() && keys.caller(&HeaderMap::new(), "").is_err());
    }

    #[test]
    fn no_two_keys_are_alike() {
        assert_ne!(generate().0, generate().0);
    }
}
