//! What `init` makes of the folders of somebody's scans, and how it says so.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use config::{ClassMap, Config};
use dataset::Split;
use ingest::{ImageCount, LabelledSource, Proposal};
use program::UsageError;

use super::config_text;
use super::template::Template;

/// A source of scans and how its folders were read.
#[derive(Debug)]
pub(super) struct Understanding {
    source: PathBuf,
    counts: Vec<ImageCount>,
    classes: ClassMap,
    positive: Vec<String>,
    /// `None` where the classes are the template's.
    proposal: Option<Proposal>,
}

impl Understanding {
    pub(super) fn of(source: &Path, template: Template, config: &str) -> Result<Self> {
        let shown = source.display();
        if !source.exists() {
            return Err(UsageError(format!("read {shown}: no such file or folder")).into());
        }
        let config: Config = serde_yaml::from_str(config).context("read the template")?;
        let listed = LabelledSource::list(source).with_context(|| format!("list {shown}"))?;
        let proposal = if template.has_classes() {
            None
        } else {
            Some(listed.propose().with_context(|| format!("find the classes in {shown}"))?)
        };
        let data = proposal.as_ref().map_or(config.data.clone(), |found| found.applied_to(&config));
        let counts = listed.count(&data).with_context(|| match proposal {
            None => format!(
                "find the template's classes in {shown} (without --from, classes are proposed from the folders)"
            ),
            Some(_) => format!("find the classes in {shown}"),
        })?;
        let source = source.to_path_buf();
        Ok(Self { source, counts, classes: data.classes, positive: data.positive, proposal })
    }

    /// `config.yaml` with what was understood.
    pub(super) fn put_into(&self, config: &str) -> String {
        let Some(proposal) = &self.proposal else { return config.to_owned() };
        let classes = config_text::classes(&proposal.classes);
        let positive = vec![format!("positive: {}", config_text::list(&proposal.positive))];
        let ignored = format!(
            "ignore_files: {}   # patterns of file names, such as \"*_mask.png\"",
            config_text::list(&proposal.ignore_files)
        );
        let config = config_text::set(config, "data", "classes", &classes);
        let config = config_text::set(&config, "data", "positive", &positive);
        let config = config_text::set(&config, "data", "ignore_files", &[ignored]);
        let title = config.find("\ndata:").map_or(config.as_str(), |at| &config[at..]);
        format!(
            "# Classes were proposed by hounsfield init from the folders of the scans: read them, and correct\n\
             # what it misunderstood. docs/configuration.md of the project lists every key.\n{title}"
        )
    }

    /// What was understood, for a person to check.
    pub(super) fn page(&self) -> String {
        let total: usize = self.counts.iter().map(|count| count.images).sum();
        let mut page = format!("{}: {total} images\n\n", self.source.display());
        let column =
            self.classes.names().map(|name| name.chars().count()).max().unwrap_or(0).max(5);
        let splits = self.splits();
        let _ = write!(page, "  {:column$}", "class");
        for split in &splits {
            let _ = write!(page, "  {:>7}", split.map_or("images", Split::name));
        }
        page += "  folders\n";
        let images = self.images();
        for class in self.classes.names() {
            let _ = write!(page, "  {class:column$}");
            for split in &splits {
                let count = images.get(&(*split, class)).copied().unwrap_or(0);
                let _ = write!(page, "  {count:7}");
            }
            let folders = self.classes.folders_of(class).unwrap_or_default();
            let _ = writeln!(page, "  {}", folders.join(", "));
        }
        page.push('\n');
        page += &match self.positive.as_slice() {
            [] => {
                "No class was taken for the finding that is looked for: data.positive is empty.\n"
                    .to_owned()
            }
            positive => format!("Counted together as the finding: {}.\n", positive.join(", ")),
        };
        if splits == [None] {
            page += "There are no split folders: ingest draws train, valid and test.\n";
        }
        let in_training = |class: &str| images.contains_key(&(Some(Split::Train), class));
        if splits.contains(&Some(Split::Train)) {
            for class in self.classes.names().filter(|class| !in_training(class)) {
                let _ = writeln!(page, "{class} has no training image: train refuses that.");
            }
        }
        if let Some(ignored) = self.proposal.as_ref().map(|it| &it.ignore_files)
            && !ignored.is_empty()
        {
            let _ = writeln!(page, "Left out as masks of other files: {}.", ignored.join(", "));
        }
        page.push('\n');
        page
    }

    fn splits(&self) -> Vec<Option<Split>> {
        let mut splits: Vec<_> = self.counts.iter().map(|count| count.split).collect();
        splits.sort();
        splits.dedup();
        splits
    }

    fn images(&self) -> BTreeMap<(Option<Split>, &str), usize> {
        let entry = |count: &'_ ImageCount| (count.split, count.images);
        self.counts.iter().map(|it| ((entry(it).0, it.class.as_str()), entry(it).1)).collect()
    }
}
