//! The images of a request, sent in one of three ways.

mod image;
mod json_images;

use std::error::Error;
use std::iter::successors;

use axum::RequestExt;
use axum::body::{Bytes, to_bytes};
use axum::extract::multipart::{Multipart, MultipartError};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::LengthLimitError;

use crate::error::{Code, Failure};
pub(crate) use crate::upload::image::{Upload, UploadLimits, decode_base64};
use crate::upload::image::{plain_name, too_many};
pub(crate) use crate::upload::json_images::JsonImages;

/// Reads every image of a request.
///
/// # Errors
/// When the body is too large, cannot be parsed, or holds no image or too many.
pub(crate) async fn read(request: Request, limits: UploadLimits) -> Result<Vec<Upload>, Failure> {
    let uploads = match media_type(request.headers()).as_deref() {
        Some("application/json") => {
            json_images::read(&whole(request, limits).await?, limits.images)?
        }
        Some("multipart/form-data") => from_multipart(request, limits).await?,
        None
        // The last is curl's default type for a body.
        | Some(
            "application/octet-stream" | "application/dicom" | "application/x-www-form-urlencoded",
        ) => {
            raw(whole(request, limits).await?)
        }
        Some(kind) if kind.starts_with("image/") => raw(whole(request, limits).await?),
        Some(other) => {
            let message = format!(
                "the content type {other:?} is not read here; send an image itself, \
                 multipart/form-data or application/json"
            );
            return Err(Failure::new(Code::UnsupportedMediaType, message));
        }
    };
    if uploads.is_empty() {
        return Err(Failure::new(Code::BadRequest, "the request holds no image"));
    }
    if uploads.len() > limits.images {
        return Err(too_many(limits.images));
    }
    Ok(uploads)
}

/// The whole body, up to the limit.
///
/// # Errors
/// When it is too large, or the client broke off.
pub(crate) async fn whole(request: Request, limits: UploadLimits) -> Result<Bytes, Failure> {
    to_bytes(request.into_limited_body(), limits.body_bytes).await.map_err(|error| {
        if is_length_limit(&error) {
            return Failure::too_large(limits.body_bytes);
        }
        Failure::new(Code::BadRequest, format!("the request broke off: {error}"))
    })
}

fn media_type(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let kind = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    (!kind.is_empty()).then_some(kind)
}

fn raw(bytes: Bytes) -> Vec<Upload> {
    if bytes.is_empty() { Vec::new() } else { vec![Upload { file: None, bytes }] }
}

async fn from_multipart(request: Request, limits: UploadLimits) -> Result<Vec<Upload>, Failure> {
    let refuse = |error: MultipartError| {
        if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Failure::too_large(limits.body_bytes);
        }
        let message = format!("the multipart form cannot be read: {}", error.body_text());
        Failure::new(Code::BadRequest, message)
    };
    let mut form = Multipart::from_request(request, &()).await.map_err(|rejection| {
        let message = format!("the multipart form cannot be read: {}", rejection.body_text());
        Failure::new(Code::BadRequest, message)
    })?;
    let mut uploads = Vec::new();
    while let Some(field) = form.next_field().await.map_err(refuse)? {
        // A plain field of a form, such as a note, is not an image.
        let file = field.file_name().map(str::to_owned);
        let is_image = file.is_some() || field.content_type().is_some();
        let bytes = field.bytes().await.map_err(refuse)?;
        if is_image && !(bytes.is_empty() && file.as_deref() == Some("")) {
            uploads.push(Upload { file: plain_name(file), bytes });
        }
        if uploads.len() > limits.images {
            break;
        }
    }
    Ok(uploads)
}

fn is_length_limit(error: &axum::Error) -> bool {
    let first: &(dyn Error + 'static) = error;
    successors(Some(first), |&error| error.source()).any(<dyn Error>::is::<LengthLimitError>)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const LIMITS: UploadLimits = UploadLimits { body_bytes: 1000, images: 2 };

    fn request(kind: &str, body: &str) -> Request {
        Request::builder().header("content-type", kind).body(Body::from(body.to_owned())).unwrap()
    }

    async fn refused(kind: &str, body: &str) -> Failure {
        read(request(kind, body), LIMITS).await.unwrap_err()
    }

    #[test]
    fn base64_is_read_with_and_without_prefix_padding_and_line_ends() {
        for text in [
            "aGk/Pz4=",
            "aGk/Pz4",
            "data:image/png;base64,aGk/Pz4=",
            "aGk/\r\nPz4=\n",
            "aGk_Pz4=",
            "aGk_Pz4",
        ] {
            assert_eq!(decode_base64(text).unwrap(), "hi??>", "{text}");
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["", " ", "data:image/png;base64,", "data:image/png,abc", "ü", "a", "ab=c"] {
            assert_eq!(decode_base64(text).unwrap_err().code(), Code::BadRequest, "{text}");
        }
    }

    #[tokio::test]
    async fn an_image_itself_and_one_in_json_are_the_same() {
        let raw = read(request("image/png", "hi"), LIMITS).await.unwrap();
        assert_eq!((raw.len(), &raw[0].bytes[..]), (1, &b"hi"[..]));
        let json = r#"{"image":"aGk=","name":"a/b/scan.png"}"#;
        let json = read(request("application/json; charset=utf-8", json), LIMITS).await.unwrap();
        assert_eq!((&json[0].bytes[..], json[0].file.as_deref()), (&b"hi"[..], Some("scan.png")));
    }

    #[tokio::test]
    async fn files_of_a_form_are_images_and_its_other_fields_are_not() {
        let body = "--x\r\ncontent-disposition: form-data; name=\"note\"\r\n\r\nold\r\n\
                    --x\r\ncontent-disposition: form-data; name=\"a\"; filename=\"C:\\\\1.png\"\r\n\r\n\
                    one\r\n--x\r\ncontent-disposition: form-data; name=\"b\"; filename=\"2.png\"\r\n\
                    content-type: image/png\r\n\r\ntwo\r\n--x--\r\n";
        let uploads = read(request("multipart/form-data; boundary=x", body), LIMITS).await.unwrap();
        let seen: Vec<_> =
            uploads.iter().map(|it| (it.file.as_deref().unwrap(), &it.bytes[..])).collect();
        assert_eq!(seen, [("1.png", &b"one"[..]), ("2.png", &b"two"[..])]);
    }

    #[tokio::test]
    async fn every_other_request_says_what_is_wrong_with_it() {
        assert_eq!(refused("text/html", "x").await.code(), Code::UnsupportedMediaType);
        assert_eq!(refused("image/png", "").await.code(), Code::BadRequest);
        assert_eq!(refused("application/json", "{}").await.code(), Code::BadRequest);
        assert_eq!(refused("application/json", r#"{"images":[]}"#).await.code(), Code::BadRequest);
        assert_eq!(refused("multipart/form-data", "x").await.code(), Code::BadRequest);
        assert_eq!(refused("multipart/form-data; boundary=x", "x").await.code(), Code::BadRequest);
        assert_eq!(refused("image/png", &"x".repeat(1001)).await.code(), Code::TooLarge);
        let many = r#"{"images":[{"image":"aGk="},{"image":"aGk="},{"image":"aGk="}]}"#;
        assert_eq!(refused("application/json", many).await.code(), Code::TooLarge);
    }

    #[tokio::test]
    async fn no_mutation_of_a_request_ends_in_a_panic() {
        use rand::{RngExt, SeedableRng};

        let form = "--x\r\ncontent-disposition: form-data; name=\"a\"; filename=\"1.png\"\r\n\
                    content-type: image/png\r\n\r\none\r\n--x--\r\n";
        let json = r#"{"images":[{"image":"data:image/png;base64,aGk=","name":"a"}]}"#;
        for (kind, text) in [("multipart/form-data; boundary=x", form), ("application/json", json)]
        {
            let mut read_whole = 0;
            for seed in 0..5000 {
                let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
                let mut body = text.as_bytes().to_vec();
                for _ in 0..random.random_range(1..4) {
                    let at = random.random_range(0..body.len());
                    match random.random_range(0..3) {
                        0 => body[at] = random.random(),
                        1 => drop(body.remove(at)),
                        _ => body.insert(at, body[at]),
                    }
                }
                let request =
                    Request::builder().header("content-type", kind).body(Body::from(body)).unwrap();
                read_whole += usize::from(read(request, LIMITS).await.is_ok());
            }
            assert!((1..5000).contains(&read_whole), "{kind}: {read_whole}");
        }
    }
}
