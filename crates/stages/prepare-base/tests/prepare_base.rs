//! The program itself, in its own folder, with weights from every source.

#[cfg(test)]
mod fixture;

use fixture::{Project, Vgg16File, changed, revision};
use test_server::{Response, TestServer, closed_address};

const BASE: &str = "artifacts/base_model/base_model.safetensors";
const UPDATED: &str = "artifacts/base_model/updated_base_model.safetensors";

/// Size of the base's tensors in the file.
const FEATURES_BYTES: usize = 14_714_688 * 4;

#[test]
fn random_weights_give_the_same_bytes_on_every_run() {
    let project = Project::new();
    let run = |seed: &str, output: &str| {
        project.run(&["--weights", "random", "--seed", seed, "--output", output]).success();
        let name = |file: &str| format!("{output}/{file}");
        ["base_model.safetensors", "updated_base_model.safetensors", "architecture.json"]
            .map(|file| project.read(&name(file)))
    };
    let first = run("17", "a");
    assert!(first == run("17", "b"), "the seed is the same");
    assert!(first[0] != run("18", "c")[0], "the seed is another");
}

#[test]
fn the_files_hold_what_architecture_json_says() {
    let project = Project::new();
    project.run(&["--weights", "random", "--head", "global-pool", "--hidden-units", "8"]).success();
    let description = project.description();
    assert_eq!(description["weights"]["input"], serde_json::Value::Null);
    assert_eq!(description["base_sha256"], project.digest(BASE));
    assert_eq!(description["updated_base_sha256"], project.digest(UPDATED));
    assert_eq!(description["architecture"]["classes"], serde_json::json!(["cancer", "normal"]));

    let base = project.shapes(BASE);
    assert_eq!(base.len(), 26);
    assert_eq!(base["features.28.weight"], [512, 512, 3, 3]);
    let updated = project.shapes(UPDATED);
    assert_eq!(updated["classifier.0.weight"], [8, 512]);
    assert_eq!(updated["classifier.3.bias"], [2]);
    assert_eq!(updated.len(), 30);
}

#[test]
fn the_summary_table_goes_to_standard_output() {
    let project = Project::new();
    let flags = ["--weights", "random", "--head", "flatten", "--freeze", "until:block4_pool"];
    let flags = [&flags[..], &["--image-size", "224"]].concat();
    let output = project.run(&flags).success().get_output().stdout.clone();
    let table = String::from_utf8(output).unwrap();
    let expected = "VGG16, 224 × 224 pixels, classes: cancer, normal\n\nlayer  ";
    assert!(table.starts_with(expected), "{table}");
    assert!(table.contains("block5_conv1   [512, 14, 14]      2,359,808   yes\n"), "{table}");
    assert!(table.ends_with("not trainable      7,635,264\n"), "{table}");
}

#[test]
fn a_file_with_torchvisions_names_is_taken_without_its_top() {
    let project = Project::new();
    project.write("weights/vgg16.safetensors", &Vgg16File::new().bytes());
    project.run(&["--weights", "file"]).success();
    assert!(
        project.tensor(BASE, "features.5.weight") == Vgg16File::new().tensor("features.5.weight")
    );
    assert_eq!(project.shapes(BASE).len(), 26);
}

#[test]
fn a_file_that_does_not_fit_names_the_tensor() {
    let project = Project::new();
    for (file, expected) in [
        (
            Vgg16File::new().without("features.7.bias"),
            "features.7.bias: expected F32 [128], found nothing",
        ),
        (
            Vgg16File::new().reshaped("features.7.bias", &[2, 64]),
            "features.7.bias: expected F32 [128], found F32 [2, 64]",
        ),
        (
            Vgg16File::new().with_integers("features.7.bias"),
            "features.7.bias: expected F32 [128], found I32 [128]",
        ),
    ] {
        project.write("weights/vgg16.safetensors", &file.bytes());
        let message = project.refusal(&["--weights", "file"], 1);
        assert!(message.contains(expected) && message.contains("vgg16.safetensors"), "{message}");
    }
    assert!(!project.exists("artifacts/base_model"));
}

#[test]
fn imagenet_weights_come_by_range_once_and_from_the_cache_after() {
    let storage = TestServer::start(|request| {
        Response::file_with_etag(request, Vgg16File::shared(), "\"v1\"")
    });
    let signed = storage.url("/signed?signature=secret");
    let hub = TestServer::start(move |_| Response::redirect(&signed));
    let project = Project::with_hub(&hub.url(""));

    project.run_as("hf_secret", &["--weights", "imagenet", "-vv"]).success();
    assert!(project.tensor(BASE, "features.0.bias") == Vgg16File::new().tensor("features.0.bias"));
    let path = format!("/timm/vgg16.tv_in1k/resolve/{}/model.safetensors", revision());
    assert!(hub.requests().iter().all(|request| request.path == path));
    assert!(hub.requests().iter().all(|r| r.header("authorization") == Some("Bearer hf_secret")));
    assert!(storage.requests().iter().all(|request| request.header("authorization").is_none()));
    let asked: Vec<(usize, usize)> =
        storage.requests().iter().map(|request| request.range(usize::MAX).unwrap()).collect();
    assert_eq!((asked.len(), asked[0]), (3, (0, 7)), "length, header, tensors");
    assert_eq!(asked[2].1 + 1 - asked[2].0, FEATURES_BYTES);

    let first = project.read(UPDATED);
    drop((hub, storage));
    project.run(&["--weights", "imagenet"]).success();
    assert!(project.read(UPDATED) == first);
}

#[test]
fn imagenet_weights_are_those_of_the_file_where_there_is_one() {
    let project = Project::with_hub(&closed_address());
    project.write("weights/vgg16.safetensors", Vgg16File::shared());
    let log = project.run(&["--weights", "imagenet"]).success().get_output().stderr.clone();
    let log = String::from_utf8(log).unwrap();
    assert!(
        log.contains("the weights in weights/vgg16.safetensors; nothing is downloaded"),
        "{log}"
    );
    assert!(log.contains("count as those of timm/vgg16.tv_in1k"), "{log}");
    let (imagenet, description) = (project.read(UPDATED), project.description());
    assert_eq!(description["weights"]["input"]["normalisation"], "imagenet");
    project.run(&["--weights", "file"]).success();
    assert!(project.read(UPDATED) == imagenet, "the same weights in another way");
}

#[test]
fn what_a_file_wants_to_see_is_kept_and_its_channels_are_turned() {
    let project = Project::new();
    let file = Vgg16File::new().saying(&[
        ("mean", "103.939, 116.779, 123.68"),
        ("std", "1, 1, 1"),
        ("channel_order", "bgr"),
        ("value_range", "0, 255"),
        ("input_size", "96"),
        ("license", "CC BY 4.0"),
        ("source", "somebody"),
    ]);
    project.write("weights/vgg16.safetensors", &file.bytes());
    let log = project.run(&["--weights", "imagenet"]).success().get_output().stderr.clone();
    let log = String::from_utf8(log).unwrap();
    assert!(log.contains("trained on images of 96 × 96 pixels"), "{log}");

    let weights = &project.description()["weights"];
    let input = serde_json::json!({"normalisation": "caffe", "image_size": 96});
    assert_eq!(weights["input"], input);
    assert_eq!(weights["licence"], "CC BY 4.0");
    assert_eq!(weights["source"], "somebody");
    // In the first kernel, blue's nine values are last now.
    let (theirs, ours) =
        (file.tensor("features.0.weight"), project.tensor(BASE, "features.0.weight"));
    assert_eq!(ours[..36], theirs[72..108]);
    assert_eq!(ours[72..108], theirs[..36]);
    assert!(project.tensor(BASE, "features.2.weight") == file.tensor("features.2.weight"));
}

#[test]
fn a_base_of_ours_serves_as_a_weights_file_and_wants_the_same() {
    let project = Project::new();
    project.write("weights/vgg16.safetensors", &Vgg16File::new().keras_bytes());
    project.run(&["--weights", "file"]).success();
    let (base, first) = (project.read(BASE), project.description());
    project.write("weights/base_model.safetensors", &base);
    let flags = ["--weights", "file", "--weights-file", "weights/base_model.safetensors"];
    project.run(&flags).success();
    assert!(
        project.tensor(BASE, "features.0.weight") == {
            project.tensor("weights/base_model.safetensors", "features.0.weight")
        }
    );
    assert_eq!(project.description()["weights"]["input"], first["weights"]["input"]);
}

#[test]
fn keras_own_file_is_read_as_it_is() {
    let project = Project::with_config(
        "pretrained: {file: weights/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5}",
    );
    let path = "weights/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5";
    project.write(path, &Vgg16File::new().keras_bytes());
    project.run(&["--weights", "imagenet"]).success();
    let weights = &project.description()["weights"];
    assert_eq!(weights["input"], serde_json::json!({"normalisation": "caffe", "image_size": 224}));
    let keras = project.read(BASE);

    // The same as a safetensors file with the description of Keras' file.
    let same = Vgg16File::new().saying(&[
        ("mean", "103.939, 116.779, 123.68"),
        ("std", "1, 1, 1"),
        ("channel_order", "bgr"),
        ("value_range", "0, 255"),
        ("input_size", "224"),
        ("source", "Keras VGG16 (HDF5)"),
    ]);
    project.write("weights/same.safetensors", &same.bytes());
    let flags = ["--weights", "file", "--weights-file", "weights/same.safetensors"];
    project.run(&flags).success();
    assert!(project.read(BASE) == keras, "the same weights from another kind of file");
}

#[test]
fn metadata_that_cannot_be_understood_name_file_and_key() {
    let project = Project::new();
    let file = Vgg16File::new().saying(&[("mean", "0.5, 0.5, 0.5"), ("std", "half")]);
    project.write("weights/vgg16.safetensors", &file.bytes());
    let message = project.refusal(&["--weights", "imagenet", "--quiet"], 1);
    let expected = "understand what weights/vgg16.safetensors says of its weights: std is \"half\"";
    assert!(message.contains(expected), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
}

#[test]
fn a_hub_without_ranges_sends_the_whole_file() {
    let server = TestServer::start(|_| Response::body(Vgg16File::shared()));
    let project = Project::with_hub(&server.url(""));
    project.run(&["--weights", "imagenet"]).success();
    assert!(project.tensor(BASE, "features.0.bias") == Vgg16File::new().tensor("features.0.bias"));
    assert!(project.files_under("artifacts/downloads").iter().all(|name| !name.contains("whole")));
}

#[test]
fn the_pinned_file_must_have_its_published_digest_when_it_comes_whole() {
    let server = TestServer::start(|_| Response::body("another file"));
    let project =
        Project::with_config(&format!("endpoints: {{hugging_face: \"{}\"}}", server.url("")));
    let message = project.refusal(&["--weights", "imagenet"], 1);
    assert!(message.contains("wrong SHA-256: expected 57b026918159a6bf"), "{message}");
}

#[test]
fn a_hub_that_keeps_cutting_leaves_what_was_there() {
    let project = Project::with_hub(&closed_address());
    project.run(&["--weights", "random"]).success();
    let before = project.read(BASE);
    let server = TestServer::start(|request| {
        let response = Response::file(request, Vgg16File::shared());
        if request.range(0).is_some_and(|(first, _)| first > 8) {
            response.cut_after(1000)
        } else {
            response
        }
    });
    project.point_to_hub(&server.url(""));
    let message = project.refusal(&["--weights", "imagenet"], 1);
    assert!(
        message.contains("truncated; 2000 of 58858752 bytes came (tried 2 times)"),
        "{message}"
    );
    assert!(project.read(BASE) == before);
}

#[test]
fn weights_that_changed_since_first_use_name_the_tensor() {
    let project = Project::new();
    let honest = TestServer::start(|request| Response::file(request, Vgg16File::shared()));
    project.point_to_hub(&honest.url(""));
    project.run(&["--weights", "imagenet"]).success();

    let features = project
        .files_under("artifacts/downloads")
        .into_iter()
        .find(|name| name.ends_with("features.safetensors"))
        .unwrap();
    project.remove(&features);
    let file = changed("features.10.bias");
    let other = TestServer::start(move |request| Response::file(request, &file));
    project.point_to_hub(&other.url(""));
    let message = project.refusal(&["--weights", "imagenet"], 1);
    assert!(message.contains("changed since they were first used"), "{message}");
    assert!(message.contains("tensor features.10.bias"), "{message}");
}

#[test]
fn a_missing_network_says_in_one_line_how_to_supply_the_file() {
    let project = Project::with_hub(&closed_address());
    let message = project.refusal(&["--weights", "imagenet", "--quiet"], 1);
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.starts_with("prepare-base: failed to reach 127.0.0.1:"), "{message}");
    assert!(message.contains("put those of VGG16 at weights/vgg16.safetensors"), "{message}");
    assert!(message.contains("or run again where the hub or a mirror"), "{message}");
    assert!(!project.exists("artifacts/base_model"), "random weights would be worse than none");
}

#[test]
fn hf_endpoint_names_a_mirror() {
    let project = Project::with_hub(&closed_address());
    let mirror = TestServer::start(|_| Response::status(404));
    let message =
        project.refusal_with("HF_ENDPOINT", &mirror.url("/mirror/"), &["--weights", "imagenet"]);
    assert!(message.contains("404 Not Found; check the address"), "{message}");
    assert!(mirror.requests()[0].path.starts_with("/mirror/timm/vgg16.tv_in1k/resolve/"));
}

#[test]
fn a_layer_that_does_not_exist_is_refused_with_those_that_do() {
    let message = Project::new().refusal(&["--freeze", "until:block6_conv1"], 2);
    assert!(message.contains("no such layer") && message.contains("block5_pool"), "{message}");
}

#[test]
fn a_branch_in_place_of_a_commit_is_refused() {
    let project = Project::with_config("pretrained: {revision: main}");
    let message = project.refusal(&[], 2);
    assert!(message.contains("pretrained.revision") && message.contains("40 hex"), "{message}");
}

#[test]
fn an_image_too_small_for_five_poolings_is_refused() {
    let message = Project::new().refusal(&["--image-size", "31"], 2);
    assert!(message.contains("prepare_base.image_size"), "{message}");
}

#[test]
fn a_folder_with_other_files_is_not_replaced() {
    let project = Project::new();
    project.write("thesis/chapter.tex", b"ten years");
    let message = project.refusal(&["--weights", "random", "--output", "thesis"], 1);
    assert!(message.contains("thesis") && message.contains("not ours"), "{message}");
    assert!(project.exists("thesis/chapter.tex"));
}

#[test]
fn help_teaches_with_an_example() {
    let output = Project::new().run(&["--help"]).success().get_output().stdout.clone();
    let help = String::from_utf8(output).unwrap();
    assert!(help.contains("prepare-base --weights imagenet --head global-pool"), "{help}");
}
