//! Unusual pictures, classes that can be distinguished without anatomy, and the page.

use std::fs;

use dataset::{BASELINES_FILE, ClassIndices, SPLIT_AUDIT_FILE, Split, SplitAudit};
use image::{GrayImage, Luma, imageops};

use crate::project::{Project, picture, png, text_of};

#[test]
fn classes_that_nothing_tells_apart_have_no_shortcut() {
    let mut project = Project::of_pictures(60, 60);
    for number in 2000..2012 {
        for (index, class) in ["adenocarcinoma", "normal"].into_iter().enumerate() {
            project.add(Split::Valid, class, number, &png(&picture(2 * number + index)));
        }
    }
    let (stdout, _) = text_of(&project.validate(&[]).success());
    assert_eq!(project.finding("shortcuts").0, 0, "{stdout}");
    let report = project.report();
    assert_eq!(report["conclusion"]["level"], "sound", "{stdout}");
    assert!(stdout.contains("Patients are unknown"), "{stdout}");
    let baselines = report["shortcuts"]["baselines"].as_array().unwrap();
    assert_eq!(baselines.len(), 19);
    for baseline in baselines {
        let expected = serde_json::json!({ "images": 120, "of": 120 });
        assert_eq!(baseline["fitted_on"], expected, "{baseline}");
    }
    let page = fs::read_to_string(project.output("report.html")).unwrap();
    assert!(page.contains("Each was fitted on all 120 training images."));
    let audit = SplitAudit::read(&project.output(SPLIT_AUDIT_FILE)).unwrap();
    let shown = audit.among[0].baselines.iter().filter(|it| it.random_flatters_by.is_shown);
    assert_eq!((audit.images, audit.of, shown.count()), (264, 264, 0), "{audit:?}");
    assert!(page.contains("The split is about as hard as a random one."), "{audit:?}");
}

#[test]
fn a_window_of_its_own_gives_a_class_away_and_the_verdict_says_so() {
    let mut project = Project::new();
    for (split, from) in [(Split::Train, 0), (Split::Test, 1000)] {
        for number in from..from + 40 {
            let brighter = |picture: GrayImage| imageops::brighten(&picture, 40);
            let bright = brighter(picture(2 * number));
            project.add(split, "adenocarcinoma", number, &png(&bright));
            project.add(split, "normal", number, &png(&picture(2 * number + 1)));
        }
    }
    let (stdout, stderr) = text_of(&project.validate(&[]).success());
    assert_eq!(project.report()["conclusion"]["level"], "not_to_be_believed");
    assert!(stdout.contains("by brightness alone"), "{stdout}");
    assert!(stderr.contains("shortcuts: "), "{stderr}");

    let file = project.output(BASELINES_FILE);
    let classes = ClassIndices::of_names(["adenocarcinoma", "normal"]);
    let baselines = dataset::read_baselines(&file, &classes).unwrap();
    let histogram = baselines.iter().find(|it| it.name == "grey_histogram").unwrap();
    assert_eq!(histogram.images.len(), 80, "every test image");
    let right = histogram.images.iter().filter(|(path, probabilities)| {
        (probabilities[0] > probabilities[1]) == path.contains("adenocarcinoma")
    });
    assert!(right.count() >= 76, "of 80");
}

#[test]
fn a_split_that_parts_what_looks_alike_is_shown_beside_random_ones() {
    // Four pictures of each patient, on the patient's own background; the split keeps patients
    // whole, but the patients are not recorded.
    let mut project = Project::new();
    for patient in 0..48_usize {
        // A class that depends on nothing else.
        let class = ["adenocarcinoma", "normal"][(patient * 7 % 16 + patient / 16) / 4 % 2];
        let split = if patient % 4 == 3 { Split::Test } else { Split::Train };
        for slice in 0..4 {
            let mut shown = picture(4 * patient + slice);
            for (x, y, pixel) in shown.enumerate_pixels_mut() {
                let tile = (x as usize / 48 + 4 * (y as usize / 48) + 1) * (patient + 3) * 29 % 120;
                pixel.0[0] = pixel.0[0] / 4 + tile as u8;
            }
            project.add(split, class, 4 * patient + slice, &png(&shown));
        }
    }
    project.validate(&[]).success();
    let audit = SplitAudit::read(&project.output(SPLIT_AUDIT_FILE)).unwrap();
    let neighbour = &audit.among[0].baselines[0];
    assert_eq!(neighbour.baseline, "thumbnail_neighbour");
    assert!(neighbour.random.mean > 0.9 && neighbour.given < 0.75, "{neighbour:?}");
    assert!(neighbour.random_flatters_by.is_shown, "{neighbour:?}");
    let page = fs::read_to_string(project.output("report.html")).unwrap();
    let told = format!("A random split would flatter by {:.2}", neighbour.random_flatters_by.value);
    assert!(page.contains(&told), "{}", audit.among[0].in_words);
}

#[test]
fn blank_and_odd_pictures_are_listed() {
    let mut project = Project::of_pictures(30, 10);
    let blank =
        project.add(Split::Train, "normal", 300, &png(&GrayImage::from_pixel(192, 192, Luma([7]))));
    let wide = imageops::resize(&picture(77), 1200, 90, imageops::FilterType::Triangle);
    let wide = project.add(Split::Train, "normal", 301, &png(&wide));
    project.add_unreadable("train/normal/broken.png");
    project.set("blank: warn", "blank: drop");
    project.validate(&[]).success();
    let report = project.report();
    assert_eq!(report["pictures"]["blank"], serde_json::json!([blank]));
    let outliers = report["pictures"]["outliers"].to_string();
    assert!(outliers.contains(&wide), "{outliers}");
    assert_eq!(project.finding("unreadable").0, 1);
    assert_eq!(report["excluded"][&blank], "blank");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    let mut project = Project::of_pictures(20, 10);
    let bytes = png(&picture(5001));
    project.add(Split::Train, "normal", 500, &bytes);
    project.add(Split::Test, "normal", 500, &bytes);
    project.validate(&[]).success();
    let page = fs::read_to_string(project.output("report.html")).unwrap();
    for fetched in ["src=\"http", "href=\"http", "url(http", "@import", "rel=\"stylesheet"] {
        assert!(!page.contains(fetched), "{fetched}");
    }
    assert!(page.contains("Research use only"));
    assert!(page.contains("data:image/jpeg;base64,"), "the pair of copies is shown");
    assert!(page.contains("across splits"));
}

#[test]
fn few_images_and_a_single_class_are_no_error() {
    let mut project = Project::new();
    project.add(Split::Train, "a", 0, &png(&picture(0)));
    project.validate(&[]).success();
    let mut project = Project::of_pictures(1, 0);
    project.add(Split::Test, "normal", 9, &png(&picture(9)));
    project.validate(&[]).success();
    assert_eq!(project.finding("shortcuts").0, 0);
}

#[test]
fn neither_threads_nor_a_second_run_change_a_byte() {
    let project = {
        let mut project = Project::of_pictures(20, 10);
        project.add(Split::Test, "normal", 1, &png(&imageops::flip_vertical(&picture(1))));
        project
    };
    project.write_manifest();
    let run = |threads: &str| {
        project.command(&[]).env("RAYON_NUM_THREADS", threads).assert().success();
        let mut files: Vec<_> = fs::read_dir(project.output(""))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_owned(), fs::read(&path).unwrap()))
            .collect();
        files.sort();
        files
    };
    let first = run("1");
    assert_eq!(first.len(), 8, "manifest, baselines, split audit, two reports, three tables");
    for (one, other) in first.iter().zip(run("4")) {
        assert!(*one == other, "{} differs", one.0.display());
    }
}
