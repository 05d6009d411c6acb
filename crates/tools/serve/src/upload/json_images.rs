//! Images as text in JSON; no more are read than a request may contain.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use utoipa::ToSchema;

use crate::error::{Code, Failure};
use crate::upload::image::{Upload, decode_base64, plain_name, too_many};

/// Images as text in JSON.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it describes what the visitor below reads, one image at a time")]
pub(crate) enum JsonImages {
    /// Several.
    Many { images: Vec<JsonImage> },
    /// One.
    One(JsonImage),
}

/// One image as text.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[expect(dead_code, reason = "it describes what `Borrowed` reads without a copy")]
pub(crate) struct JsonImage {
    /// Base64, with or without `data:image/png;base64,` before it.
    pub(crate) image: String,
    /// The file's name.
    pub(crate) name: Option<String>,
}

/// Like [`JsonImage`], in the body's own memory if it has no escapes.
#[derive(Debug, Deserialize)]
struct Borrowed<'a> {
    #[serde(borrow)]
    image: Cow<'a, str>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
}

/// Every image of a body. Data after the last allowed image is not read, so that a body takes no
/// more memory than its images.
///
/// # Errors
/// When it has another form, or contains more than `most` images.
pub(super) fn read(bytes: &[u8], most: usize) -> Result<Vec<Upload>, Failure> {
    let mut images = Images { most, has_too_many: false };
    let mut body = serde_json::Deserializer::from_slice(bytes);
    let read = images.deserialize(&mut body).and_then(|read| body.end().map(|()| read));
    let has_too_many = images.has_too_many;
    let read = read.map_err(|error| {
        if has_too_many {
            return too_many(most);
        }
        let message = format!(
            "the JSON is not {{\"image\": \"<base64>\"}} or {{\"images\": [{{\"image\": …}}]}}: \
             {error}"
        );
        Failure::new(Code::BadRequest, message)
    })?;
    let upload = |image: Borrowed<'_>| {
        let file = plain_name(image.name.map(Cow::into_owned));
        Ok(Upload { file, bytes: decode_base64(&image.image)? })
    };
    read.into_iter().map(upload).collect()
}

/// Reads up to this many images.
struct Images {
    most: usize,
    has_too_many: bool,
}

impl<'de> DeserializeSeed<'de> for &mut Images {
    type Value = Vec<Borrowed<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, body: D) -> Result<Self::Value, D::Error> {
        body.deserialize_map(Whole(self))
    }
}

/// The object of a body.
struct Whole<'a>(&'a mut Images);

impl<'de> Visitor<'de> for Whole<'_> {
    type Value = Vec<Borrowed<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("an object with \"image\" or \"images\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut body: A) -> Result<Self::Value, A::Error> {
        let mut one: (Option<Cow<'de, str>>, Option<Cow<'de, str>>) = (None, None);
        let mut many = None;
        while let Some(key) = body.next_key::<Cow<'de, str>>()? {
            match &*key {
                "images" => many = Some(body.next_value_seed(Several(self.0))?),
                "image" => one.0 = Some(body.next_value()?),
                "name" => one.1 = body.next_value()?,
                _ => drop(body.next_value::<IgnoredAny>()?),
            }
        }
        match (many, one) {
            (Some(many), _) => Ok(many),
            (None, (Some(image), name)) => Ok(vec![Borrowed { image, name }]),
            (None, (None, _)) => Err(A::Error::custom("it has neither")),
        }
    }
}

/// The list of several.
struct Several<'a>(&'a mut Images);

impl<'de> DeserializeSeed<'de> for Several<'_> {
    type Value = Vec<Borrowed<'de>>;

    fn deserialize<D: Deserializer<'de>>(self, list: D) -> Result<Self::Value, D::Error> {
        list.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Several<'_> {
    type Value = Vec<Borrowed<'de>>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of images")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut images = Vec::new();
        while let Some(image) = list.next_element()? {
            if images.len() == self.0.most {
                self.0.has_too_many = true;
                return Err(A::Error::custom("too many images"));
            }
            images.push(image);
        }
        Ok(images)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_after_the_last_image_that_may_be_is_not_looked_at() {
        let body = r#"{"images":[{"image":"aGk="},{"image":"aGk="},{"image":"aGk="}, no JSON"#;
        assert_eq!(read(body.as_bytes(), 2).unwrap_err().code(), Code::TooLarge);
        assert_eq!(read(body.as_bytes(), 3).unwrap_err().code(), Code::BadRequest);
    }

    #[test]
    fn either_form_is_read_whatever_else_stands_there() {
        for (body, files) in [
            (r#"{"x":[1,{"y":2}],"name":"a.png","image":"aGk="}"#, vec![Some("a.png")]),
            (r#"{"image":"aGk\u003d","name":null}"#, vec![None]),
            (r#"{"images":[{"name":"b","image":"aGk="},{"image":"aGk="}]}"#, vec![Some("b"), None]),
            (r#"{"images":[]}"#, vec![]),
        ] {
            let read = read(body.as_bytes(), 2).unwrap();
            let found: Vec<_> = read.iter().map(|upload| upload.file.as_deref()).collect();
            assert_eq!(found, files, "{body}");
        }
        for body in ["[]", r#"{"images":{}}"#, r#"{"image":1}"#, r#"{"image":"aGk="} x"#, "{}"] {
            assert_eq!(read(body.as_bytes(), 2).unwrap_err().code(), Code::BadRequest, "{body}");
        }
    }
}
