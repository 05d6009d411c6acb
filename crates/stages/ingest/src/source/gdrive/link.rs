use std::str::FromStr;

use download::Url;
use program::UsageError;

/// A file on Drive, as named by a share link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ShareLink {
    pub(super) id: String,
    /// Files shared before September 2021 need it beside the id.
    resource_key: Option<String>,
}

impl FromStr for ShareLink {
    type Err = UsageError;

    /// Reads a link in any of the forms that Drive uses, or a bare id.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = |reason: &str| {
            UsageError(format!(
                "understand the Drive link {text:?}: {reason}; expected \
                 https://drive.google.com/file/d/<id>/view, or the id alone"
            ))
        };
        let text = text.trim();
        if is_id(text) {
            return Ok(Self { id: text.to_owned(), resource_key: None });
        }
        let url = Url::parse(text).map_err(|_| refuse("neither an address nor an id"))?;
        let parts: Vec<&str> = url.path_segments().into_iter().flatten().collect();
        if parts.contains(&"folders") {
            return Err(refuse("it is a folder; pack it as one zip file and share that"));
        }
        let in_path = parts.windows(2).find(|pair| pair[0] == "d").map(|pair| pair[1].to_owned());
        let id = in_path.or_else(|| query_value(&url, "id")).filter(|id| is_id(id));
        let id = id.ok_or_else(|| refuse("it holds no file id"))?;
        Ok(Self { id, resource_key: query_value(&url, "resourcekey") })
    }
}

impl ShareLink {
    /// `<endpoint>/download?id=<id>&export=download`
    pub(super) fn address(&self, endpoint: &str) -> Result<Url, url::ParseError> {
        let mut url = Url::parse(&format!("{}/download", endpoint.trim_end_matches('/')))?;
        url.query_pairs_mut().append_pair("id", &self.id).append_pair("export", "download");
        if let Some(key) = &self.resource_key {
            url.query_pairs_mut().append_pair("resourcekey", key);
        }
        Ok(url)
    }
}

fn query_value(url: &Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

/// Ids are 25 characters or more of base64url; 10 leave room for future changes.
fn is_id(text: &str) -> bool {
    text.len() >= 10 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1AbC-dEf_GhIjKlMnOpQrStUvWxYz0123";

    #[test]
    fn every_form_of_link_gives_the_id() {
        for link in [
            ID.to_owned(),
            format!("  {ID}\n"),
            format!("https://drive.google.com/file/d/{ID}/view?usp=sharing"),
            format!("https://drive.google.com/file/d/{ID}"),
            format!("https://drive.google.com/file/u/1/d/{ID}/edit"),
            format!("https://drive.google.com/a/uni.example/file/d/{ID}/preview"),
            format!("https://drive.google.com/open?id={ID}"),
            format!("https://drive.google.com/uc?export=download&id={ID}"),
            format!("https://drive.google.com/u/0/uc?id={ID}&export=download"),
            format!("https://docs.google.com/uc?id={ID}"),
            format!("https://drive.usercontent.google.com/download?id={ID}&confirm=t"),
        ] {
            assert_eq!(link.parse::<ShareLink>().unwrap().id, ID, "{link}");
        }
    }

    #[test]
    fn a_folder_and_a_link_without_an_id_are_refused() {
        let folder = format!("https://drive.google.com/drive/folders/{ID}");
        let message = folder.parse::<ShareLink>().unwrap_err().to_string();
        assert!(message.contains("it is a folder"), "{message}");
        assert!("https://drive.google.com/".parse::<ShareLink>().is_err());
        assert!("scans.zip".parse::<ShareLink>().is_err());
    }

    #[test]
    fn address_carries_the_resource_key() {
        let link: ShareLink =
            format!("https://drive.google.com/file/d/{ID}/view?resourcekey=0-k").parse().unwrap();
        assert_eq!(
            link.address("https://drive.example/").unwrap().as_str(),
            format!("https://drive.example/download?id={ID}&export=download&resourcekey=0-k")
        );
    }
}
