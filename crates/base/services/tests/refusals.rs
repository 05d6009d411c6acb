//! `config.yaml` as the programs outside the pipeline read it.

// Always true here; it marks the helpers as test code for clippy.
#![cfg(test)]

use config::Config;
use services::Services;

const DATA: &str = "data: {source: {kind: sample}, classes: {a: [a], b: [b]}}\n";

fn load(text: &str) -> (Result<Config, String>, Result<Services, String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    std::fs::write(&path, text).unwrap();
    let in_words = |error: config::ConfigError| error.to_string();
    (Config::load(&path).map_err(in_words), Services::load(&path).map_err(in_words))
}

#[test]
fn sections_that_are_not_there_have_usable_defaults() {
    let (config, services) = load(DATA);
    config.unwrap();
    assert_eq!(services.unwrap(), Services::default());
}

#[test]
fn a_key_of_the_server_is_refused_by_the_server_with_its_line_and_does_not_stop_the_pipeline() {
    let (config, services) = load(&format!("{DATA}serve:\n  adress: 127.0.0.1:1\n"));
    config.unwrap();
    let refusal = services.unwrap_err();
    assert!(refusal.contains("serve") && refusal.contains("adress"), "{refusal}");
    assert!(refusal.contains("line 3"), "{refusal}");
}

#[test]
fn a_value_that_cannot_be_meant_is_refused_by_key() {
    let (_, services) = load(&format!("{DATA}promotion: {{minimum: 51}}\n"));
    let refusal = services.unwrap_err();
    assert!(refusal.contains("promotion.minimum") && refusal.contains("config.yaml"), "{refusal}");
}

#[test]
fn an_unknown_section_is_refused() {
    let (config, _) = load(&format!("{DATA}server: {{}}\n"));
    assert!(config.unwrap_err().contains("server"));
}
