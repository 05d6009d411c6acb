//! Registered models, their versions and aliases.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use crate::client::{Client, Done};
use crate::transport::Call;
use crate::wire;
use crate::{Alias, Error, LoggedModelId, Mark, ModelName, ModelReference, Result, RunId, Tag};

/// A version of a registered model to be created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewModelVersion {
    /// The registered model, which must exist.
    pub name: ModelName,
    /// The logged model that owns the files.
    pub model: LoggedModelId,
    /// The run that trained it.
    pub run: Option<RunId>,
    /// Its description.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// The mark to find it by if the answer is lost.
    pub mark: Mark,
}

/// A version of a registered model, as returned by the server.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ModelVersion {
    /// The registered model.
    pub name: ModelName,
    /// Its number, from 1.
    #[serde(deserialize_with = "version_number")]
    pub version: u64,
    /// The source of its files: `models:/m-…`.
    #[serde(default)]
    pub source: String,
    /// The run that trained it.
    #[serde(default, rename = "run_id", deserialize_with = "wire::optional_text")]
    pub run: Option<String>,
    /// Its description.
    #[serde(default, deserialize_with = "wire::optional_text")]
    pub description: Option<String>,
    /// Its tags.
    #[serde(default, deserialize_with = "wire::map")]
    pub tags: BTreeMap<String, String>,
    /// Its aliases. Searches do not return them.
    #[serde(default)]
    pub aliases: Vec<String>,
}

fn version_number<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<u64, D::Error> {
    u64::try_from(wire::integer(deserializer)?).map_err(serde::de::Error::custom)
}

#[derive(Debug, Deserialize)]
struct One {
    model_version: ModelVersion,
}

#[derive(Debug, Default, Deserialize)]
struct Page {
    #[serde(default)]
    model_versions: Vec<ModelVersion>,
    #[serde(default, deserialize_with = "wire::optional_text")]
    next_page_token: Option<String>,
}

/// How many versions are requested at a time.
const PAGE_VERSIONS: &str = "1000";

impl Client {
    /// Creates a registered model with this name if there is none.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn ensure_registered_model(&self, name: &ModelName) -> Result<()> {
        let body = json!({ "name": name });
        let call =
            Call::post("create the registered model", "registered-models/create").json(&body);
        match self.transport.send::<Done>(&call) {
            Err(error) if error.is_already_there() => Ok(()),
            answer => answer.map(drop),
        }
    }

    /// Creates a version of a registered model, once, however often the request had to be sent.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn create_model_version(&self, new: &NewModelVersion) -> Result<ModelVersion> {
        let tags: Vec<Tag> = new.tags.iter().cloned().chain([new.mark.tag()]).collect();
        let mut body = json!({
            "name": new.name,
            "source": format!("models:/{}", new.model),
            "model_id": new.model,
            "tags": tags,
        });
        let run = new.run.as_ref().map(RunId::as_str);
        for (field, value) in [("run_id", run), ("description", new.description.as_deref())] {
            if let Some(value) = value {
                body[field] = value.into();
            }
        }
        let call = Call::post("create a model version", "model-versions/create").json(&body);
        self.make_once(
            || self.transport.send_once::<One>(&call).map(|one| one.model_version),
            || {
                let filter = format!("{} and {}", name_filter(&new.name), new.mark.filter());
                let call = version_search(&filter);
                let page: Page = self.transport.send_once(&call)?;
                Ok(page.model_versions.into_iter().next())
            },
        )
    }

    /// A version of a registered model; `None` if there is no such model, version or alias.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn model_version(&self, reference: &ModelReference) -> Result<Option<ModelVersion>> {
        let number;
        let call = match reference {
            ModelReference::Alias(name, alias) => {
                Call::get("read the model's alias", "registered-models/alias")
                    .query("name", name.as_str())
                    .query("alias", alias.as_str())
            }
            ModelReference::Version(name, version) => {
                number = version.to_string();
                Call::get("read the model version", "model-versions/get")
                    .query("name", name.as_str())
                    .query("version", &number)
            }
        };
        match self.transport.send::<One>(&call) {
            Ok(one) => Ok(Some(one.model_version)),
            Err(error) if error.is_missing() || is_missing_alias(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// All versions of a registered model, the newest first.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn model_versions(&self, name: &ModelName) -> Result<Vec<ModelVersion>> {
        let filter = name_filter(name);
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut call = version_search(&filter);
            if let Some(token) = &token {
                call = call.query("page_token", token);
            }
            let page: Page = self.transport.send(&call)?;
            found.extend(page.model_versions);
            if page.next_page_token.is_none() {
                break;
            }
            token = page.next_page_token;
        }
        found.sort_by_key(|version| std::cmp::Reverse(version.version));
        Ok(found)
    }

    /// Sets the description of a version of a registered model.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn describe_model_version(
        &self,
        name: &ModelName,
        version: u64,
        description: &str,
    ) -> Result<()> {
        let body = json!({
            "name": name,
            "version": version.to_string(),
            "description": description,
        });
        let call = Call::patch("describe the model version", "model-versions/update").json(&body);
        self.transport.send::<Done>(&call).map(drop)
    }

    /// Sets a tag of a version of a registered model.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn tag_model_version(&self, name: &ModelName, version: u64, tag: &Tag) -> Result<()> {
        let body = json!({
            "name": name,
            "version": version.to_string(),
            "key": tag.key,
            "value": tag.value(),
        });
        let call = Call::post("tag the model version", "model-versions/set-tag").json(&body);
        self.transport.send::<Done>(&call).map(drop)
    }

    /// Points an alias to a version, and removes it from the version it pointed to before.
    ///
    /// # Errors
    /// When there is no such version, or the server refuses or cannot be reached.
    pub fn set_alias(&self, name: &ModelName, alias: &Alias, version: u64) -> Result<()> {
        let body = json!({ "name": name, "alias": alias, "version": version.to_string() });
        let call = Call::post("set the model's alias", "registered-models/alias").json(&body);
        self.transport.send::<Done>(&call).map(drop)
    }

    /// Removes an alias. A missing alias is fine.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub fn delete_alias(&self, name: &ModelName, alias: &Alias) -> Result<()> {
        let body = json!({ "name": name, "alias": alias });
        let call = Call::delete("delete the model's alias", "registered-models/alias").json(&body);
        match self.transport.send::<Done>(&call) {
            Err(error) if is_missing_alias(&error) => Ok(()),
            answer => answer.map(drop),
        }
    }
}

fn version_search(filter: &str) -> Call<'_> {
    Call::get("search the model's versions", "model-versions/search")
        .query("filter", filter)
        .query("max_results", PAGE_VERSIONS)
}

/// A filter has no escapes: a name with one kind of quote in it is put in the other.
fn name_filter(name: &ModelName) -> String {
    let quote = if name.as_str().contains('\'') { '"' } else { '\'' };
    format!("name = {quote}{name}{quote}")
}

/// MLflow reports a missing alias as a bad request.
fn is_missing_alias(error: &Error) -> bool {
    error.status() == Some(400)
        && error.to_string().contains("alias")
        && error.to_string().contains("not found")
}
