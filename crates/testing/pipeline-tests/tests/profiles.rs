//! Every profile runs the project's pipeline, on other data.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use std::fs;
use std::path::Path;

use config::{Config, NormalisationChoice, Params, WeightsSource};
use pipeline_tests::{Pipeline, dvc_roots, project, text};

fn profiles() -> Vec<std::path::PathBuf> {
    let profiles = dvc_roots().split_off(1);
    assert!(profiles.len() >= 4, "profiles: {profiles:?}");
    profiles
}

/// A copy, because DVC also reads `dvc.yaml` from git's history, where it does not follow links.
#[test]
fn a_profile_runs_the_same_pipeline() {
    for profile in profiles() {
        for file in ["dvc.yaml", ".dvcignore", ".dvc/config", ".dvc/.gitignore"] {
            let (ours, its) = (text(project().join(file)), text(profile.join(file)));
            assert!(ours == its, "cp {file} {}", profile.join(file).display());
        }
    }
}

#[test]
fn a_profile_shares_the_programs_and_the_weights() {
    for profile in profiles() {
        for shared in ["Cargo.lock", "Cargo.toml", "crates", "scripts", "weights"] {
            let link = profile.join(shared);
            let target = fs::read_link(&link).unwrap_or_else(|error| panic!("{link:?}: {error}"));
            assert_eq!(target, Path::new("../..").join(shared), "{}", link.display());
        }
    }
}

#[test]
fn every_root_has_a_configuration_that_the_programs_accept() {
    for root in dvc_roots() {
        Config::load(&root.join("config.yaml")).unwrap();
        Params::load(&root.join("params.yaml")).unwrap();
    }
}

/// The sample needs no network; on real scans, random weights are not useful.
#[test]
fn a_profile_starts_from_imagenet_weights_and_the_sample_from_none() {
    let of = |root: &Path| Params::load(&root.join("params.yaml")).unwrap();
    assert_eq!(of(&project()).prepare_base.weights, WeightsSource::Random);
    for profile in profiles() {
        let params = of(&profile);
        assert_eq!(params.prepare_base.weights, WeightsSource::Imagenet, "{}", profile.display());
        assert_eq!(params.train.normalisation, NormalisationChoice::Auto, "{}", profile.display());
    }
}

/// DVC refuses to run a stage with a param that is missing in the file, even if the program has a
/// default.
#[test]
fn every_root_spells_out_the_keys_that_are_params() {
    let pipeline = Pipeline::read();
    for root in dvc_roots() {
        for file in ["config.yaml", "params.yaml"] {
            let values: serde_yaml::Value = serde_yaml::from_str(&text(root.join(file))).unwrap();
            for key in pipeline.stages.values().flat_map(|stage| stage.params_of(file)) {
                let found = key.split('.').try_fold(&values, |value, part| value.get(part));
                assert!(found.is_some(), "{}: {key} is missing", root.join(file).display());
            }
        }
    }
}

/// `dvc.yaml` names the folders, so a profile that moved one would lose DVC's tracking of it.
#[test]
fn no_root_moves_the_folders_that_dvc_tracks() {
    for root in dvc_roots() {
        let config = Config::load(&root.join("config.yaml")).unwrap();
        assert_eq!(config.paths, config::Paths::default(), "{}", root.display());
    }
}
