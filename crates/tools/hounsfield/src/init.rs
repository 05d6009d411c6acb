//! `hounsfield init`: a study of one's own, outside every repository of the tool.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use artifact::StagedFolder;
use clap::Args;
use config::Config;
use program::UsageError;

mod config_text;
mod extras;
mod repository;
mod study;
mod template;
mod understanding;

pub(crate) use repository::find_dvc;
pub(crate) use study::{Placement, Study};

use extras::Extra;
use repository::Tools;
use template::Template;
use understanding::Understanding;

/// Start a study: a folder with a pipeline of its own
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hounsfield init try --from sample
      Synthetic scans; no data, network or weights are needed.
  hounsfield init lungs --data ~/scans.zip
      Classes and splits are proposed from the folders that are found.
  hounsfield init lungs --from chest-ct --data ~/chest-ct.zip --weights ~/vgg16.safetensors --yes
      The settings of a public set, and ImageNet weights for a machine without a network.

The study is a git repository and a DVC root. The scans are copied into it and tracked by DVC, so that
dvc push and dvc pull take them to other machines; --in-place leaves them where they are.

Exit codes: 0 done, 1 failed, 2 bad usage.")]
pub(crate) struct Arguments {
    /// The folder to make
    #[arg(value_name = "STUDY")]
    study: PathBuf,

    /// What to start from; without it, classes are proposed from the folders of --data
    #[arg(long, value_name = "TEMPLATE")]
    from: Option<Template>,

    /// A folder or zip file of labelled scans
    #[arg(long, value_name = "PATH")]
    data: Option<PathBuf>,

    /// Leave the scans where they are: nothing is copied, and nobody else gets them by dvc pull
    #[arg(long, requires = "data")]
    in_place: bool,

    /// ImageNet weights of VGG16, for machines without a network; they are copied too
    #[arg(long, value_name = "FILE")]
    weights: Option<PathBuf>,

    /// More files: notebooks
    #[arg(long, value_name = "EXTRA")]
    with: Vec<Extra>,

    /// Ask nothing: take what was understood
    #[arg(long, short)]
    yes: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let name = study_name(&arguments.study)?;
    let template = arguments.template()?;
    extras::check(&arguments.with)?;
    let tools = Tools::find(arguments.copies_something())?;

    let mut config = template.config().to_owned();
    config = config_text::set(&config, "registry", "model", &[format!("model: {name}")]);
    let mut understood = None;
    if let Some(data) = &arguments.data {
        let found = Understanding::of(data, template, &config)?;
        config = found.put_into(&config);
        understood = Some(found);
    }
    if let Some(found) = &understood {
        let page = found.page();
        terminal::Printed.write_all(page.as_bytes()).context("print what was understood")?;
        confirm(arguments.yes)?;
    }

    let staged = StagedFolder::beside(&arguments.study)?;
    let study = Study::at(staged.path());
    study.write(&name, &config, template)?;
    if let Some(data) = &arguments.data {
        study.place(data, Placement::of(arguments.in_place))?;
    }
    if let Some(weights) = &arguments.weights {
        study.take_weights(weights)?;
    }
    extras::write(&arguments.with, staged.path())?;
    // What the programs would refuse is refused now.
    Config::load(&study.path("config.yaml"))?;
    tools.commit(&study, !arguments.in_place)?;
    repository::note_if_nested(&arguments.study);
    staged.publish()?;
    note_if_not_ascii(&arguments.study);

    let done = format!("{} is ready. Now:\n{}", arguments.study.display(), arguments.next_steps());
    terminal::Printed.write_all(done.as_bytes()).context("print what to do next")
}

impl Arguments {
    fn template(&self) -> Result<Template> {
        match (self.from, &self.data) {
            (Some(Template::Sample), Some(_)) => Err(UsageError(
                "start from the sample with --data: the sample draws its own scans; leave out one of both"
                    .to_owned(),
            )
            .into()),
            (Some(Template::Sample), None) if self.weights.is_some() => Err(UsageError(
                "start from the sample with --weights: the sample needs none; leave them out".to_owned(),
            )
            .into()),
            (Some(template), _) => Ok(template),
            // Any folders: the template of two classes, for as many as there are.
            (None, Some(_)) => Ok(Template::TwoClass),
            (None, None) => Err(UsageError(
                "start a study of nothing: name scans with --data, or try --from sample".to_owned(),
            )
            .into()),
        }
    }

    fn copies_something(&self) -> bool {
        self.weights.is_some() || (self.data.is_some() && !self.in_place)
    }

    fn next_steps(&self) -> String {
        let study = self.study.display().to_string();
        let quoted = if study.contains([' ', '\'', '"', '(', ')', '&', ';', '$']) {
            format!("'{}'", study.replace('\'', "'\\''"))
        } else {
            study
        };
        let mut steps = format!("  cd {quoted}\n");
        let needs_data = self.data.is_none() && self.from != Some(Template::Sample);
        if needs_data {
            steps += "  hounsfield data PATH      the scans, a folder or zip file\n";
        }
        steps += "  dvc repro                 the whole pipeline\n";
        steps += "  hounsfield scores         what came out\n";
        steps
    }
}

/// The name of the registered model: that of the folder, as MLflow takes it.
fn study_name(study: &Path) -> Result<String> {
    let shown = study.display();
    let is_filled = study.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if is_filled || study.is_file() {
        bail!("make {shown}: it is there already, and not empty; name another folder");
    }
    let Some(name) = study.file_name() else {
        return Err(UsageError(format!("make {shown}: name a new folder")).into());
    };
    let name: String = name
        .to_string_lossy()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() || c == '-' || c == '_' { c } else { '-' })
        .collect();
    let name = name.trim_matches('-');
    Ok(if name.is_empty() { "study".to_owned() } else { name.to_owned() })
}

/// DVC 3.67 writes the path of its cache for such experiments as ASCII, and fails.
fn note_if_not_ascii(study: &Path) {
    let path = study.canonicalize().unwrap_or_default();
    if !path.to_string_lossy().is_ascii() {
        crate::note(&format!(
            "hounsfield: the path {} has a letter beyond ASCII, such as an umlaut; there DVC cannot run \
             experiments with --queue or --temp, while dvc repro and dvc exp run work",
            path.display()
        ));
    }
}

fn confirm(yes: bool) -> Result<()> {
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(UsageError(
            "ask whether that is right: standard input is no terminal; --yes takes it".to_owned(),
        )
        .into());
    }
    crate::note("Make the study? config.yaml can be changed later. [Y/n]");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("read the answer")?;
    match answer.trim().to_lowercase().as_str() {
        "" | "y" | "yes" => Ok(()),
        _ => bail!("make the study: you said no, and nothing was made"),
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn a_model_is_named_as_its_study_and_as_mlflow_takes_it() {
        let name = |path: &str| study_name(Path::new(path)).unwrap();
        assert_eq!(name("/nowhere/Lungs 2024"), "lungs-2024");
        assert_eq!(name("nowhere/Größe:a"), "größe-a");
        assert_eq!(name("nowhere/…"), "study");
        assert!(study_name(Path::new("..")).is_err());
    }

    #[test]
    fn templates_are_named_as_people_type_them() {
        let names: Vec<String> = Template::value_variants()
            .iter()
            .filter_map(|it| it.to_possible_value().map(|value| value.get_name().to_owned()))
            .collect();
        assert_eq!(names, ["chest-ct", "chest-ct-binary", "brain-mri", "two-class", "sample"]);
    }
}
