use std::fmt;
use std::path::Path;
use std::time::Duration;

use dataset::Manifest;
use mlflow::{
    ArtifactSource, Key, Provenance, RunStatus, Settings as Server, Tag, Tracker, Tracking,
};
use program::Settings;
use serde::Serialize;

use crate::interruption::end_on_interruption;
use crate::{DataUse, Program, images, server, spools, values};

/// How long a finished program waits until the server has everything. It does not wait for a server
/// that is down.
const PATIENCE: Duration = Duration::from_secs(10);

/// A run on an MLflow server, or nothing if tracking was not requested. If it is dropped before
/// [`finish`](Self::finish), it ends as failed; Ctrl-C and SIGTERM end it as killed.
#[derive(Debug)]
pub struct TrackedRun {
    tracker: Tracker,
}

impl TrackedRun {
    /// Tracks nothing.
    pub fn off() -> Self {
        Self { tracker: Tracker::off() }
    }

    /// Begins or continues the run of a training, which is identified by its id, if the settings or
    /// the environment request it. Unusable settings turn the tracking off, with a warning.
    pub fn begin(settings: &Settings, program: Program, training: &impl fmt::Display) -> Self {
        let tracking = match server(&settings.config.tracking, mlflow::environment) {
            Ok(None) => return Self::off(),
            Ok(Some(server)) => tracking(settings, program, &training.to_string(), server)
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match tracking {
            Ok(tracking) => {
                let tracker = Tracker::start(tracking);
                end_on_interruption(tracker.end_hook());
                let sections = program.sections(&settings.params);
                for (section, values) in sections {
                    tracker.params(values::params(section, &values));
                }
                Self { tracker }
            }
            Err(error) => {
                tracing::warn!("tracking is off: failed to {error}");
                Self::off()
            }
        }
    }

    /// Logs the images in use.
    pub fn images(&self, settings: &Settings, manifest: &Manifest, of: DataUse) {
        match images::dataset(&settings.config.data, manifest, of) {
            Ok(dataset) => self.tracker.dataset(dataset),
            Err(error) => tracing::warn!("the images are not tracked: {error}"),
        }
    }

    /// Logs values of metrics in an epoch, from 1.
    pub fn epoch<'a>(&self, epoch: u32, metrics: impl IntoIterator<Item = (&'a str, f64)>) {
        self.tracker.metrics(i64::from(epoch), metrics);
    }

    /// Logs every number in a tree of scores, such as `test/classes/normal/recall`.
    pub fn scores(&self, prefix: &str, scores: &impl Serialize) {
        self.tracker.metrics(0, values::scores(prefix, scores));
    }

    /// Sets a tag.
    pub fn tag(&self, name: &str, value: &impl fmt::Display) {
        self.tracker.tags([(name, terminal::shown_lines(&value.to_string()))]);
    }

    /// Sets the run's description, in Markdown, at the top of its page.
    pub fn describe(&self, markdown: &str) {
        self.tag("mlflow.note.content", &markdown);
    }

    /// Logs a file in its present state.
    pub fn file(&self, path: &str, file: &Path) {
        self.tracker.artifact(path, ArtifactSource::Copy(file));
    }

    /// Logs a text file.
    pub fn text(&self, path: &str, text: &str) {
        self.tracker.artifact(path, ArtifactSource::Bytes(text.as_bytes()));
    }

    /// Logs a file that is made only for this; it is not made if nothing is tracked. If it cannot
    /// be made, there is only a warning.
    pub fn bytes<E: fmt::Display>(&self, path: &str, make: impl FnOnce() -> Result<Vec<u8>, E>) {
        if !self.tracker.is_on() {
            return;
        }
        match make() {
            Ok(bytes) => self.tracker.artifact(path, ArtifactSource::Bytes(&bytes)),
            Err(error) => tracing::warn!("{path} is not tracked: failed to {error:#}"),
        }
    }

    /// Ends the run, and gives the server a moment to receive the rest.
    pub fn finish(self) {
        // Undelivered entries stay in the spool, and the tracker has reported this.
        let _ = self.tracker.finish(RunStatus::Finished, PATIENCE);
    }
}

fn tracking(
    settings: &Settings,
    program: Program,
    training: &str,
    server: Server,
) -> mlflow::Result<Tracking> {
    let config = &settings.config.tracking;
    let folder = &settings.config.paths.tracking;
    let spool = spools::choose(folder, training, program, &server.server)?;
    let dvc = Dvc::of(mlflow::environment);
    let provenance = Provenance::find(program.name(), Path::new("."), &server, mlflow::environment);
    let mut tags = provenance.tags();
    tags.push(tag("training", training));
    tags.extend(dvc.tags(provenance.git_commit.as_deref()));
    let every = config.system_metrics_seconds;
    Ok(Tracking {
        name: Some(dvc.experiment.unwrap_or_else(|| training.to_owned())),
        settings: server,
        spool,
        tags,
        repeated: program.repeated(),
        system_metrics: (every > 0).then(|| Duration::from_secs(every)),
    })
}

fn tag(name: &str, value: &str) -> Tag {
    Tag::new(Key::cleaned(name), terminal::shown(value))
}

/// The environment that `dvc` gives to the commands it runs.
#[derive(Debug)]
struct Dvc {
    /// The experiment's name, under `dvc exp run`.
    experiment: Option<String>,
    /// The commit that the experiment starts from.
    baseline: Option<String>,
    /// Whether `dvc` runs this program at all.
    is_there: bool,
}

impl Dvc {
    fn of(lookup: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name| lookup(name).filter(|value| !value.is_empty());
        Self {
            experiment: text("DVC_EXP_NAME"),
            baseline: text("DVC_EXP_BASELINE_REV"),
            is_there: text("DVC_ROOT").is_some(),
        }
    }

    /// `dvc.revision` is the commit that `dvc` uses for the work: that of the experiment's
    /// baseline, or under `dvc repro` the one that is checked out.
    fn tags(&self, checked_out: Option<&str>) -> Vec<Tag> {
        let checked_out = checked_out.filter(|_| self.is_there);
        let revision = self.baseline.as_deref().or(checked_out);
        let named = [("dvc.revision", revision), ("dvc.experiment", self.experiment.as_deref())];
        named.into_iter().filter_map(|(name, value)| Some(tag(name, value?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_made_for_a_run_that_is_off() {
        let make = || -> Result<Vec<u8>, String> { panic!("nobody asked for it") };
        TrackedRun::off().bytes("curves.png", make);
    }

    #[test]
    fn the_revision_is_the_one_that_dvc_means() {
        let tags = |variables: &[(&str, &str)]| -> Vec<(String, String)> {
            let lookup = |name: &str| {
                variables.iter().find(|(known, _)| *known == name).map(|it| it.1.to_owned())
            };
            let tags = Dvc::of(lookup).tags(Some("head"));
            tags.iter().map(|tag| (tag.key.to_string(), tag.value().to_owned())).collect()
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(tags(&[]), []);
        assert_eq!(tags(&[("DVC_ROOT", "/a")]), [pair("dvc.revision", "head")]);
        let experiment =
            [("DVC_ROOT", "/a"), ("DVC_EXP_BASELINE_REV", "base"), ("DVC_EXP_NAME", "tame-lynx")];
        let expected = [pair("dvc.revision", "base"), pair("dvc.experiment", "tame-lynx")];
        assert_eq!(tags(&experiment), expected);
    }
}
