//! What a study starts from.

use clap::ValueEnum;

/// A template: the settings of a public set, of the sample, or of any two classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Template {
    /// Chest CT in four classes: Kaggle, mohamedhanyyy/chest-ctscan-images
    ChestCt,
    /// The same scans as cancer or not
    ChestCtBinary,
    /// Brain MRI in four classes: Kaggle, masoudnickparvar/brain-tumor-mri-dataset
    BrainMri,
    /// Any two folders of scans
    TwoClass,
    /// Synthetic chest CT, drawn here: no data, network or weights are needed
    Sample,
}

impl Template {
    /// `config.yaml`, before anything is put into it.
    pub(super) fn config(self) -> &'static str {
        match self {
            Self::ChestCt => include_str!("../../templates/chest-ct.yaml"),
            Self::ChestCtBinary => include_str!("../../templates/chest-ct-binary.yaml"),
            Self::BrainMri => include_str!("../../templates/brain-mri.yaml"),
            Self::TwoClass => include_str!("../../templates/two-class.yaml"),
            // That of the source tree, which is the sample study.
            Self::Sample => include_str!("../../../../../config.yaml"),
        }
    }

    /// `params.yaml`.
    pub(super) fn params(self) -> String {
        match self {
            // Half as many images as in the source tree: a first result in about a minute.
            Self::Sample => include_str!("../../../../../params.yaml")
                .replace("    images: 1200 ", "    images: 600  "),
            _ => include_str!("../../templates/params.yaml").to_owned(),
        }
    }

    /// Whether its classes are those of a known set, and not to be found in the folders.
    pub(super) fn has_classes(self) -> bool {
        !matches!(self, Self::TwoClass)
    }
}

pub(super) const GITIGNORE: &str = include_str!("../../templates/gitignore");
pub(super) const DVCIGNORE: &str = include_str!("../../templates/dvcignore");
pub(super) const README: &str = include_str!("../../templates/README.md");
pub(super) const DATA_README: &str = include_str!("../../templates/data.md");
pub(super) const WEIGHTS_README: &str = include_str!("../../../../../weights/README.md");
pub(super) const CORRECTIONS_README: &str = include_str!("../../../../../corrections/README.md");
pub(super) const DVC_GITIGNORE: &str = "/config.local\n/tmp\n/cache\n";
pub(super) const DVC_CONFIG: &str = "[core]\n    analytics = false\n    autostage = false\n";

/// `dvc.yaml` of a study: that of the source tree, run by the installed tool.
pub(super) fn pipeline() -> String {
    let source = include_str!("../../../../../dvc.yaml");
    let stages = source.split_once("\n  ingest:\n").map_or("", |(_, stages)| stages);
    let stages = stages.replace("cmd: scripts/stage ", "cmd: hounsfield ");
    format!("{HEAD}\n  ingest:\n{stages}")
}

const HEAD: &str = "\
# The pipeline: what each stage reads and writes. `dvc repro` runs what changed.

stages:
  programs:
    desc: The version of the tool. Another version runs the stages again, the same one does not.
    cmd: hounsfield versions artifacts/programs
    always_changed: true
    outs:
      - artifacts/programs
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_study_has_every_stage_and_runs_the_tool_alone() {
        let pipeline: serde_yaml::Value = serde_yaml::from_str(&pipeline()).unwrap();
        let stages = pipeline["stages"].as_mapping().unwrap();
        let names: Vec<&str> = stages.keys().filter_map(|key| key.as_str()).collect();
        let expected: Vec<&str> =
            std::iter::once("programs").chain(crate::programs::stages()).collect();
        assert_eq!(names, expected);
        for name in crate::programs::stages() {
            assert_eq!(stages[name]["cmd"].as_str(), Some(format!("hounsfield {name}").as_str()));
            let version = format!("artifacts/programs/{name}.txt");
            let deps = stages[name]["deps"].as_sequence().unwrap();
            assert!(deps.iter().any(|dep| dep.as_str() == Some(&version)), "{name}");
        }
        assert!(pipeline["artifacts"].is_mapping() && pipeline["plots"].is_sequence());
    }

    #[test]
    fn every_template_is_a_configuration_that_the_programs_accept() {
        for template in Template::value_variants() {
            let folder = tempfile::tempdir().unwrap();
            let (config, params) =
                (folder.path().join("config.yaml"), folder.path().join("params.yaml"));
            artifact::write_file(&config, template.config().as_bytes()).unwrap();
            artifact::write_file(&params, template.params().as_bytes()).unwrap();
            config::Config::load(&config).unwrap();
            services::Services::load(&config).unwrap();
            config::Params::load(&params).unwrap();
        }
    }
}
