//! The stored records.

use serde_json::{Value, json};

use crate::project::{Project, Server, json as json_of, picture};

fn correct(server: &Server, prediction: &Value, class: &str) -> Value {
    let feedback =
        json!({ "prediction_id": prediction["id"], "class": class, "note": "seen again" });
    json_of(server.post("/v1/feedback").json(&feedback).send().unwrap(), 201)
}

fn get(server: &Server, path: &str) -> Value {
    json_of(server.get(path).send().unwrap(), 200)
}

#[test]
fn predictions_are_listed_newest_first_in_pages_and_by_what_was_said_of_them() {
    let project = Project::new("  {}");
    let server = project.serve();
    let made: Vec<Value> = [60, 120, 180].map(|grey| server.predict(picture(grey))).into();
    correct(&server, &made[0], "dark");

    let first = get(&server, "/v1/predictions?limit=2");
    let ids: Vec<&Value> =
        first["predictions"].as_array().unwrap().iter().map(|row| &row["id"]).collect();
    assert_eq!(ids, [&made[2]["id"], &made[1]["id"]]);
    let cursor = first["next"].as_str().unwrap();
    let second = get(&server, &format!("/v1/predictions?limit=2&cursor={cursor}"));
    assert_eq!(second["predictions"][0]["id"], made[0]["id"]);
    assert_eq!(second["predictions"][0]["feedback"]["note"], "seen again");
    assert_eq!(second["next"], Value::Null);

    let judged = get(&server, "/v1/predictions?feedback=any");
    assert_eq!(judged["predictions"].as_array().unwrap().len(), 1);
    for wrong in ["limit=0", "cursor=x", "since=yesterday", "model=x", "feedback=x", "what=1"] {
        let answer = server.get(&format!("/v1/predictions?{wrong}")).send().unwrap();
        assert_eq!(json_of(answer, 400)["error"]["code"], "bad_request", "{wrong}");
    }
}

#[test]
fn corrections_count_until_there_are_more_than_a_training_waits_for() {
    let project = Project::new("  retrain_after: 2\n  store_images: feedback");
    let server = project.serve();
    let made: Vec<Value> = [60, 61, 62, 63].map(|grey| server.predict(picture(grey))).into();
    let other = |said: &Value| if said["class"] == "dark" { "bright" } else { "dark" };
    let answer = correct(&server, &made[0], other(&made[0]));
    assert_eq!((&answer["right"], &answer["trains"]), (&json!(false), &json!(true)));
    let right = correct(&server, &made[1], made[1]["class"].as_str().unwrap());
    assert_eq!((&right["trains"], &right["missing"]), (&json!(false), &Value::Null));
    let summary = get(&server, "/v1/feedback/summary");
    assert_eq!((&summary["total"], &summary["wrong"]), (&json!(2), &json!(1)));
    correct(&server, &made[2], other(&made[2]));
    let since = || get(&server, "/v1/feedback/summary")["since_training"].take();
    assert_eq!((&since()["corrections"], &since()["due"]), (&json!(2), &json!(false)));
    correct(&server, &made[3], other(&made[3]));
    assert_eq!((&since()["corrections"], &since()["due"]), (&json!(3), &json!(true)));
    assert_eq!(since()["missing"], Value::Null);
}

#[test]
fn a_correction_that_no_training_can_learn_from_says_so_and_is_not_counted() {
    let project = Project::new("  retrain_after: 0");
    let server = project.serve();
    let made = server.predict(picture(60));
    let class = if made["class"] == "dark" { "bright" } else { "dark" };
    let answer = correct(&server, &made, class);
    assert_eq!(answer["trains"], false);
    assert!(answer["missing"].as_str().unwrap().contains("store_images"), "{answer}");
    let since = get(&server, "/v1/feedback/summary")["since_training"].take();
    assert_eq!((&since["corrections"], &since["without_image"]), (&json!(0), &json!(1)));
    assert_eq!(since["due"], false);
    assert!(since["missing"].as_str().unwrap().contains("store_images"), "{since}");
}

#[test]
fn a_correction_that_cannot_be_meant_is_refused() {
    let project = Project::new("  {}");
    let server = project.serve();
    let made = server.predict(picture(100));
    let unknown = "0197a1b2-0000-7000-8000-000000000000";
    for (feedback, status) in [
        (json!({ "prediction_id": made["id"], "class": "unheard of" }), 422),
        (json!({ "prediction_id": unknown, "class": "dark" }), 404),
        (json!({ "prediction_id": "1", "class": "dark" }), 400),
        (json!({ "class": "dark" }), 400),
        (json!({ "prediction_id": made["id"], "class": "dark", "note": "x".repeat(2001) }), 400),
        (json!({ "prediction_id": made["id"], "class": "dark", "image": "aGk=" }), 400),
    ] {
        let answer = server.post("/v1/feedback").json(&feedback).send().unwrap();
        json_of(answer, status);
    }
    assert_eq!(get(&server, "/v1/feedback/summary")["total"], 0);
}

#[test]
fn images_are_kept_only_where_that_is_asked_for() {
    for (keep, with_feedback, without) in
        [("never", false, false), ("feedback", true, false), ("all", true, true)]
    {
        let project = Project::new(&format!("  store_images: {keep}"));
        let server = project.serve();
        let judged = server.predict(picture(100));
        let other = server.predict(picture(101));
        correct(&server, &judged, "dark");
        for (prediction, is_kept) in [(&judged, with_feedback), (&other, without)] {
            let id = prediction["id"].as_str().unwrap();
            let row = get(&server, &format!("/v1/predictions/{id}"));
            assert_eq!(row["image_url"].is_string(), is_kept, "{keep}: {row}");
            let answer = server.get(&format!("/v1/predictions/{id}/image")).send().unwrap();
            assert_eq!(answer.status().as_u16(), if is_kept { 200 } else { 404 }, "{keep}");
            if is_kept {
                let grey = if prediction == &judged { 100 } else { 101 };
                assert_eq!(answer.bytes().unwrap(), picture(grey));
            }
        }
    }
}

#[test]
fn the_dashboard_counts_what_happened_today() {
    let project = Project::new("  {}");
    let server = project.serve();
    for grey in [60, 120, 180] {
        server.predict(picture(grey));
    }
    let figures = get(&server, "/v1/dashboard?days=7");
    assert_eq!(figures["counts"]["total"], 3);
    assert_eq!(figures["per_day"].as_array().unwrap().len(), 7);
    json_of(server.get("/v1/dashboard?days=0").send().unwrap(), 400);
    json_of(server.get("/v1/dashboard?days=367").send().unwrap(), 400);
}

#[test]
fn what_was_acknowledged_survives_being_killed() {
    let project = Project::new("  {}");
    let mut server = project.serve();
    let mut acknowledged = 0;
    for round in 0..5 {
        let made = server.predict(picture(60 + round));
        correct(&server, &made, "dark");
        acknowledged += 1;
        server.kill();
        server = project.serve();
        assert_eq!(get(&server, "/v1/feedback/summary")["total"], acknowledged);
    }
}
