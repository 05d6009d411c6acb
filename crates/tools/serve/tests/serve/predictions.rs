//! The server's answers to images, and to bytes that are not images.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::project::{Project, foreign_picture, json as json_of, picture};

fn multipart(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, bytes) in files {
        let head = format!(
            "--x\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n"
        );
        body.extend(head.into_bytes());
        body.extend(*bytes);
        body.extend(b"\r\n");
    }
    body.extend(b"--x--\r\n");
    body
}

#[test]
fn probabilities_are_those_of_the_model_without_the_server() {
    let project = Project::new("  {}");
    let server = project.serve();
    for grey in [50, 90, 150, 190] {
        let said = server.predict(picture(grey));
        let probabilities: Vec<f64> = said["probabilities"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["probability"].as_f64().unwrap())
            .collect();
        for (found, expected) in probabilities.iter().zip(project.offline(&picture(grey))) {
            assert!((found - expected).abs() < 1e-5, "{grey}: {probabilities:?} {expected}");
        }
        assert_eq!(said["model"]["digest"].as_str().unwrap().len(), 64);
        assert_eq!(said["checks"]["accepted"], true, "{said}");
        assert_eq!(said["positive"]["probability"], said["probabilities"][0]["probability"]);
    }
}

#[test]
fn existing_clients_get_the_shape_they_know() {
    let project = Project::new("  {}");
    let server = project.serve();
    let text = STANDARD.encode(picture(180));
    for image in [text.clone(), format!("data:image/png;base64,{text}")] {
        let answer = server.post("/predict").json(&json!({ "image": image })).send().unwrap();
        let answer = json_of(answer, 200);
        let said = &answer.as_array().unwrap()[0];
        assert_eq!(said["prediction"], "bright");
        let confidence = said["confidence"].as_str().unwrap().strip_suffix('%').unwrap();
        assert_eq!(confidence.split('.').nth(1).unwrap().len(), 4, "{confidence}");
        assert!(confidence.parse::<f64>().unwrap() > 50.0);
    }
    for (request, status) in [
        (json!({}), 400),
        (json!({ "image": "not base64!" }), 400),
        (json!({ "image": "" }), 400),
        (json!({ "image": STANDARD.encode("no picture") }), 422),
    ] {
        let answer = json_of(server.post("/predict").json(&request).send().unwrap(), status);
        assert!(answer[0]["error"].as_str().unwrap().len() > 10, "{answer}");
    }
}

#[test]
fn many_files_are_answered_in_order_and_one_bad_file_fails_alone() {
    let project = Project::new("  {}");
    let server = project.serve();
    let body = multipart(&[("a.png", &picture(60)), ("b.txt", b"text"), ("c.png", &picture(190))]);
    let request =
        server.post("/v1/predict").header("content-type", "multipart/form-data; boundary=x");
    let answer = json_of(request.body(body).send().unwrap(), 200);
    let items = answer["predictions"].as_array().unwrap();
    let files: Vec<&str> = items.iter().map(|item| item["file"].as_str().unwrap()).collect();
    assert_eq!(files, ["a.png", "b.txt", "c.png"]);
    assert_eq!(items[1]["error"]["code"], "not_an_image");
    assert_eq!(items[2]["prediction"]["class"], "bright");
    assert!(items[0]["prediction"]["confidence"].is_f64());
}

#[test]
fn json_and_the_image_itself_are_the_same_image() {
    let project = Project::new("  {}");
    let server = project.serve();
    let raw = server.predict(picture(120));
    let request =
        json!({ "images": [{ "image": STANDARD.encode(picture(120)), "name": "x.png" }] });
    let answer = json_of(server.post("/v1/predict").json(&request).send().unwrap(), 200);
    let said = &answer["predictions"][0]["prediction"];
    assert_eq!(said["image"]["sha256"], raw["image"]["sha256"]);
    assert_eq!(said["probabilities"], raw["probabilities"]);
    assert_eq!(said["file"], "x.png");
}

#[test]
fn where_the_model_looked_is_a_png_with_transparency() {
    let project = Project::new("  {}");
    let server = project.serve();
    let request = server.post("/v1/predict?explain=grad-cam").header("content-type", "image/png");
    let answer = json_of(request.body(picture(190)).send().unwrap(), 200);
    let explanation = &answer["predictions"][0]["prediction"]["explanation"];
    assert_eq!(explanation["class"], "bright");
    let png = explanation["png"].as_str().unwrap().strip_prefix("data:image/png;base64,").unwrap();
    let layer = image::load_from_memory(&STANDARD.decode(png).unwrap()).unwrap();
    assert_eq!(layer.color(), image::ColorType::Rgba8);
    // The picture is 48 by 40.
    assert_eq!((layer.width(), layer.height()), (448, 373));
}

#[test]
fn a_foreign_image_is_refused_with_the_check_it_failed() {
    let project = Project::new("  {}");
    let server = project.serve();
    let request = server.post("/v1/predict").header("content-type", "image/png");
    let answer = json_of(request.body(foreign_picture()).send().unwrap(), 422);
    let error = &answer["error"];
    assert_eq!(error["code"], "foreign_image", "{answer}");
    assert_eq!(error["checks"]["accepted"], false);
    let id = error["id"].as_str().unwrap();
    let row = json_of(server.get(&format!("/v1/predictions/{id}")).send().unwrap(), 200);
    assert_eq!((&row["class"], &row["accepted"]), (&Value::Null, &json!(false)));
}

#[test]
fn a_foreign_image_is_flagged_where_that_is_asked_for() {
    let project = Project::new("  foreign_images: flag");
    let server = project.serve();
    let said = server.predict(foreign_picture());
    assert_eq!(said["checks"]["accepted"], false);
    assert!(said["class"].is_string());
}

#[test]
fn every_bad_request_says_what_is_wrong_with_it() {
    let project = Project::new("  limits: {megapixels: 0.01, body_megabytes: 0.01, images: 2}");
    let server = project.serve();
    let ask = |kind: &str, body: Vec<u8>| {
        server.post("/v1/predict").header("content-type", kind).body(body).send().unwrap()
    };
    let truncated = picture(100)[..60].to_vec();
    // 200 by 200 in one grey: 40,000 pixels, a few hundred bytes.
    let large = {
        let mut bytes = std::io::Cursor::new(Vec::new());
        let picture = image::GrayImage::from_pixel(200, 200, image::Luma([9]));
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    };
    let three = [("a", &b"x"[..]), ("b", b"x"), ("c", b"x")];
    for (answer, status, code) in [
        (ask("image/png", b"nothing".to_vec()), 422, "not_an_image"),
        (ask("image/png", truncated), 422, "damaged_image"),
        (ask("image/png", large), 413, "too_large"),
        (ask("image/png", vec![0; 20_000]), 413, "too_large"),
        (ask("image/png", Vec::new()), 400, "bad_request"),
        (ask("text/html", b"x".to_vec()), 415, "unsupported_media_type"),
        (ask("multipart/form-data; boundary=x", multipart(&three)), 413, "too_large"),
        (server.post("/v1/predict?explain=x").body("x").send().unwrap(), 400, "bad_request"),
        (server.get("/v1/predict").send().unwrap(), 405, "method_not_allowed"),
        (server.get("/nothing").send().unwrap(), 404, "not_found"),
    ] {
        let error = json_of(answer, status)["error"].take();
        assert_eq!(error["code"], code, "{error}");
        assert!(error["message"].as_str().unwrap().len() > 15, "{error}");
        assert!(error["request_id"].is_string(), "{error}");
    }
}

#[test]
fn a_file_that_no_browser_draws_is_drawn_as_the_model_sees_it() {
    let project = Project::new("  limits: {megapixels: 0.01}");
    let server = project.serve();
    let rendered = |body: Vec<u8>| server.post("/v1/rendered").body(body).send().unwrap();
    let png = image::load_from_memory(&picture(150)).unwrap();
    let mut tiff = std::io::Cursor::new(Vec::new());
    png.write_to(&mut tiff, image::ImageFormat::Tiff).unwrap();
    let drawn = rendered(tiff.into_inner());
    assert_eq!(
        (drawn.status().as_u16(), &drawn.headers()["content-type"]),
        (200, &"image/png".parse().unwrap())
    );
    let drawn = image::load_from_memory(&drawn.bytes().unwrap()).unwrap();
    assert_eq!(drawn.to_rgb8(), png.to_rgb8());

    assert_eq!(json_of(rendered(b"text".to_vec()), 422)["error"]["code"], "not_an_image");
    let large = image::GrayImage::new(101, 100);
    let mut bytes = std::io::Cursor::new(Vec::new());
    large.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    assert_eq!(json_of(rendered(bytes.into_inner()), 413)["error"]["code"], "too_large");
    // It is not stored.
    let kept = json_of(server.get("/v1/predictions").send().unwrap(), 200);
    assert_eq!(kept["predictions"], json!([]));
}
