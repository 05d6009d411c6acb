//! Parses the queries and paths of several routes.

use std::fmt::Display;

use prediction_store::{Cursor, PageLimit, PredictionId};

use crate::error::{Code, Failure};

/// The id of a prediction.
///
/// # Errors
/// When the text is not an id.
pub(crate) fn id(text: &str) -> Result<PredictionId, Failure> {
    text.parse().map_err(|error: prediction_store::InvalidId| bad("id", error))
}

/// The start of a page, and its length.
///
/// # Errors
/// When the limit is out of range, or the cursor is not that of a page.
pub(crate) fn limit_and_cursor(
    limit: Option<u32>,
    cursor: Option<String>,
) -> Result<(PageLimit, Option<Cursor>), Failure> {
    let limit = limit.map(TryInto::try_into).transpose();
    let cursor = cursor.map(|text| text.parse()).transpose();
    let limit = limit.map_err(|error: prediction_store::InvalidPageLimit| bad("limit", error))?;
    let cursor = cursor.map_err(|error: prediction_store::InvalidCursor| bad("cursor", error))?;
    Ok((limit.unwrap_or_default(), cursor))
}

/// The answer to an invalid part `what` of a query or path.
pub(crate) fn bad(what: &str, why: impl Display) -> Failure {
    Failure::new(Code::BadRequest, format!("{what}: {why}"))
}
