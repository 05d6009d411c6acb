//! One model in place of another, under load.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use classifier::registered::Registered;
use serde_json::{Value, json};

use crate::project::{Project, json as json_of, picture};

#[test]
fn no_request_is_lost_and_no_answer_mixes_two_models() {
    const SWAPS: usize = 20;
    let project = Project::new("  limits: {requests_per_minute: 0}");
    let server = project.serve();
    let ended = AtomicBool::new(false);
    let answers: Vec<(String, String)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut answers = Vec::new();
                    while !ended.load(Ordering::Relaxed) {
                        let said = server.predict(picture(150));
                        let digest = said["model"]["digest"].as_str().unwrap().to_owned();
                        answers.push((digest, said["probabilities"].to_string()));
                    }
                    answers
                })
            })
            .collect();
        for swap in 0..SWAPS {
            project.write_model(0.02 + 0.001 * (swap + 1) as f32);
            json_of(server.post("/v1/model/reload").send().unwrap(), 200);
        }
        ended.store(true, Ordering::Relaxed);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    // For each model there is one answer to the one image.
    let mut of_model: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
    for (digest, probabilities) in &answers {
        let probabilities: Vec<Value> = serde_json::from_str(probabilities).unwrap();
        let bright = probabilities[0]["probability"].as_f64().unwrap();
        of_model.entry(digest).or_default().push(bright);
    }
    for (digest, bright) in &of_model {
        let spread = bright.iter().copied().fold(f64::MIN, f64::max)
            - bright.iter().copied().fold(f64::MAX, f64::min);
        assert!(spread < 1e-6, "{digest}: {spread}");
    }
    assert!(of_model.len() > 2, "{} answers of {} models", answers.len(), of_model.len());
}

#[test]
fn the_model_before_can_be_had_back() {
    let project = Project::new("  {}");
    let server = project.serve();
    let first = server.predict(picture(150))["model"]["digest"].clone();
    json_of(server.post("/v1/model/rollback").send().unwrap(), 409);
    project.write_model(0.05);
    let answer = json_of(server.post("/v1/model/reload").send().unwrap(), 200);
    assert_eq!(answer["previous"]["digest"], first);
    assert_ne!(answer["digest"], first);
    let answer = json_of(server.post("/v1/model/rollback").send().unwrap(), 200);
    assert_eq!(answer["digest"], first);
    assert_eq!(server.predict(picture(150))["model"]["digest"], first);
}

#[test]
fn a_model_that_came_from_a_registry_is_called_by_its_version() {
    let project = Project::new("  {}");
    let server = project.serve();
    let model = || json_of(server.get("/v1/model").send().unwrap(), 200);
    assert_eq!(model()["version"], Value::Null);
    let weights = model()["digest"].as_str().unwrap().parse().unwrap();
    let registered = Registered { name: "lungs".into(), version: 3, weights };
    registered.write(&project.path("model")).unwrap();
    json_of(server.post("/v1/model/reload").send().unwrap(), 200);
    assert_eq!((&model()["name"], &model()["version"]), (&json!("lungs"), &json!("3")));
    assert_eq!(server.predict(picture(150))["model"]["version"], "3");
    // A file left by a model that was replaced has no effect.
    project.write_model(0.05);
    registered.write(&project.path("model")).unwrap();
    json_of(server.post("/v1/model/reload").send().unwrap(), 200);
    assert_eq!(model()["version"], Value::Null);
}

#[test]
fn a_model_folder_that_is_half_replaced_leaves_the_present_model_in_place() {
    let project = Project::new("  {}");
    let server = project.serve();
    let first = server.predict(picture(150))["model"]["digest"].clone();
    let description = std::fs::read(project.path("model/model.json")).unwrap();
    project.write_model(0.05);
    std::fs::write(project.path("model/model.json"), description).unwrap();
    let answer = json_of(server.post("/v1/model/reload").send().unwrap(), 409);
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(message.contains("trained_model.safetensors"), "{message}");
    assert_eq!(server.predict(picture(150))["model"]["digest"], first);
}
