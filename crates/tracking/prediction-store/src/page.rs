use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use crate::{AuditId, PredictionId};

/// How many rows one page holds: 1 to [`PageLimit::MAX`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageLimit(u32);

/// A page size of none, or of more than the maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a page of {0} rows cannot be had; ask for 1 to {max}", max = PageLimit::MAX)]
pub struct InvalidPageLimit(u32);

impl PageLimit {
    /// The most rows of one page.
    pub const MAX: u32 = 1000;

    /// The rows of a page.
    pub fn get(self) -> u32 {
        self.0
    }

    /// One more than a page, which shows whether another page follows.
    pub(crate) fn and_one(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for PageLimit {
    /// 50 rows.
    fn default() -> Self {
        Self(50)
    }
}

impl TryFrom<u32> for PageLimit {
    type Error = InvalidPageLimit;

    fn try_from(rows: u32) -> Result<Self, InvalidPageLimit> {
        if (1..=Self::MAX).contains(&rows) { Ok(Self(rows)) } else { Err(InvalidPageLimit(rows)) }
    }
}

/// The end of a page. Its text is opaque to the caller, who passes it back for the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor(After);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    Prediction(PredictionId),
    Audit(AuditId),
}

/// Text that is not a cursor, or is a cursor of another listing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the cursor is not one of this listing; leave it out to start from the first page")]
pub struct InvalidCursor;

impl Cursor {
    const PREDICTION: u8 = 1;
    const AUDIT: u8 = 2;

    pub(crate) fn after_prediction(id: PredictionId) -> Self {
        Self(After::Prediction(id))
    }

    pub(crate) fn after_audit(id: AuditId) -> Self {
        Self(After::Audit(id))
    }

    pub(crate) fn prediction(self) -> Result<PredictionId, InvalidCursor> {
        match self.0 {
            After::Prediction(id) => Ok(id),
            After::Audit(_) => Err(InvalidCursor),
        }
    }

    pub(crate) fn audit(self) -> Result<AuditId, InvalidCursor> {
        match self.0 {
            After::Audit(id) => Ok(id),
            After::Prediction(_) => Err(InvalidCursor),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (listing, id): (u8, [u8; 16]) = match self.0 {
            After::Prediction(id) => (Self::PREDICTION, id.into()),
            After::Audit(id) => (Self::AUDIT, id.into()),
        };
        let mut bytes = [listing; 17];
        bytes[1..].copy_from_slice(&id);
        out.write_str(&BASE64_URL_SAFE_NO_PAD.encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = InvalidCursor;

    fn from_str(text: &str) -> Result<Self, InvalidCursor> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| InvalidCursor)?;
        let [listing, id @ ..] = bytes.as_slice() else { return Err(InvalidCursor) };
        let id = <[u8; 16]>::try_from(id).map_err(|_| InvalidCursor)?;
        let after = match *listing {
            Self::PREDICTION => PredictionId::try_from(id).map(After::Prediction),
            Self::AUDIT => AuditId::try_from(id).map(After::Audit),
            _ => return Err(InvalidCursor),
        };
        after.map(Self).map_err(|_| InvalidCursor)
    }
}

impl serde::Serialize for Cursor {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_cursor_survives_being_text_and_nothing_else_is_one() {
        let id = PredictionId::new(Timestamp::UNIX_EPOCH);
        let cursor = Cursor::after_prediction(id);
        let text = cursor.to_string();
        assert_eq!(text.parse(), Ok(cursor));
        assert_eq!(cursor.prediction(), Ok(id));
        assert_eq!(cursor.audit(), Err(InvalidCursor));
        for wrong in ["", "!", "AAAA", &text[1..], &format!("{text}A"), &id.to_string()] {
            assert_eq!(wrong.parse::<Cursor>(), Err(InvalidCursor), "{wrong}");
        }
    }

    #[test]
    fn a_page_holds_at_least_one_row_and_at_most_a_thousand() {
        assert_eq!(PageLimit::try_from(0), Err(InvalidPageLimit(0)));
        assert_eq!(PageLimit::try_from(1000).unwrap().get(), 1000);
        assert!(PageLimit::try_from(1001).is_err());
    }
}
