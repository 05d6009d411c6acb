//! One format for all failures, rejections included.

use std::time::Duration;

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use imaging::DecodeError;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::answer::{Checks, ErrorBody};
use crate::guard::request_id;
use crate::model::engine::EngineError;
use crate::model::served::NotANumber;

/// What a failed request gets: `{"error": {"code": …, "message": …, "request_id": …}}`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ErrorAnswer {
    error: ErrorBody,
}

/// A request that cannot be fulfilled.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    code: Code,
    message: String,
    retry_after: Option<Duration>,
    /// The id and the checks of a foreign image.
    foreign: Option<(Uuid, Checks)>,
}

/// The reason, for programs; each has its status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Code {
    BadRequest,
    Unauthorised,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    UnsupportedMediaType,
    NotAnImage,
    DamagedImage,
    ForeignImage,
    UnknownClass,
    RateLimited,
    Overloaded,
    DeadlineExceeded,
    Stopping,
    StoreUnavailable,
    Internal,
}

impl Code {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthorised => "unauthorised",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::NotAnImage => "not_an_image",
            Self::DamagedImage => "damaged_image",
            Self::ForeignImage => "foreign_image",
            Self::UnknownClass => "unknown_class",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::Stopping => "stopping",
            Self::StoreUnavailable => "store_unavailable",
            Self::Internal => "internal",
        }
    }

    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotAnImage | Self::DamagedImage | Self::ForeignImage | Self::UnknownClass => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::RateLimited | Self::Overloaded => StatusCode::TOO_MANY_REQUESTS,
            Self::DeadlineExceeded | Self::Stopping | Self::StoreUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Failure {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, foreign: None }
    }

    /// Adds the time after which the client should retry.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// A body that is larger than `limit` bytes.
    pub(crate) fn too_large(limit: usize) -> Self {
        let megabytes = limit as f64 / 1e6;
        Self::new(
            Code::TooLarge,
            format!(
                "the request is larger than {megabytes} megabytes (serve.limits.body_megabytes)"
            ),
        )
    }

    /// An image of another kind, with the id of its recorded refusal.
    pub(crate) fn foreign(id: Uuid, checks: Checks) -> Self {
        let mut failed = Vec::new();
        if !checks.grey_histogram.passed {
            failed.push("its grey values differ");
        }
        if !checks.features.passed {
            failed.push("its features differ");
        }
        let message = format!(
            "the image is not like those that the model was trained on ({}); a prediction would \
             mean nothing",
            failed.join("; ")
        );
        Self { foreign: Some((id, checks)), ..Self::new(Code::ForeignImage, message) }
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The error, for one item of several or for a whole answer.
    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody {
            code: self.code.text(),
            message: self.message.clone(),
            request_id: request_id::current(),
            checks: self.foreign.map(|(_, checks)| checks),
            id: self.foreign.map(|(id, _)| id),
        }
    }

    /// Status and headers with another body, for clients that expect their own format.
    pub(crate) fn response_with(&self, body: impl IntoResponse) -> Response {
        let mut response = (self.code.status(), body).into_response();
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs_f64().ceil().max(1.0) as u64;
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code == Code::Unauthorised {
            let challenge = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.response_with(Json(ErrorAnswer { error: self.body() }))
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let code = match &error {
            DecodeError::TooLarge { .. }
            | DecodeError::TooMuchMemory(_)
            | DecodeError::TooCostly { .. } => Code::TooLarge,
            // Valid, but of an unsupported kind.
            DecodeError::Unsupported { .. } => Code::UnsupportedMediaType,
            DecodeError::NotAnImage { .. } | DecodeError::NoImage { .. } | DecodeError::Empty => {
                Code::NotAnImage
            }
            _ => Code::DamagedImage,
        };
        Self::new(code, format!("the image cannot be used: {error}"))
    }
}

impl From<NotANumber> for Failure {
    fn from(error: NotANumber) -> Self {
        Self::new(Code::Internal, error.to_string())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let code = match error {
            EngineError::Late => Code::DeadlineExceeded,
            EngineError::Failed(_) => Code::Internal,
            EngineError::Stopped => Code::Stopping,
        };
        Self::new(code, error.to_string())
    }
}
