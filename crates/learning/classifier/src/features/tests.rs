//! Which activations are kept and found again, with a real network on small pictures.

use std::fs;
use std::path::Path;

use config::{DeviceChoice, FeaturesConfig, FillMode, Freeze, OnFullDisk, Precision};
use imaging::Normalisation;
use tempfile::TempDir;

use super::*;
use crate::BaseWeights;
use crate::architecture::tests::architecture;
use crate::network::tests::weights;

/// Pictures of 32×32 pixels and a store.
struct Bench {
    folder: TempDir,
    limit_gigabytes: f64,
}

/// The settings that a case changes.
#[derive(Clone)]
struct Case {
    kind: HeadKind,
    hidden_units: u32,
    freeze: Freeze,
    normalisation: Normalisation,
    seed: u64,
    augmentation: Augmentation,
}

impl Case {
    fn new() -> Self {
        let augmentation = Augmentation {
            rotation_degrees: 20.0,
            width_shift: 0.1,
            height_shift: 0.0,
            shear_degrees: 0.0,
            zoom: 0.0,
            horizontal_flip: false,
            fill_mode: FillMode::Nearest,
            fill_value: 0.0,
            views: 2,
        };
        Self {
            kind: HeadKind::GlobalPool,
            hidden_units: 0,
            freeze: Freeze::All,
            normalisation: Normalisation::Unit,
            seed: 17,
            augmentation,
        }
    }
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), limit_gigabytes: 1.0 }
    }

    fn store(&self) -> std::path::PathBuf {
        self.folder.path().join("features")
    }

    fn extractor(&self, case: &Case) -> Extractor {
        let architecture = architecture(case.kind, case.hidden_units, case.freeze.clone());
        let weights = weights(&architecture);
        let base = BaseDescription {
            format: BaseDescription::FORMAT,
            architecture,
            weights: BaseWeights::drawn("random"),
            base_sha256: Digest::of(b"base"),
            updated_base_sha256: Digest::of(b"base with head"),
        };
        let settings = StoreSettings {
            folder: self.store(),
            limits: FeaturesConfig {
                limit_gigabytes: self.limit_gigabytes,
                on_full_disk: OnFullDisk::Fail,
            },
        };
        let views = Views { augmentation: case.augmentation, seed: case.seed };
        let preprocessing = Preprocessing::bilinear(32, case.normalisation);
        let backend = Backend::choose(DeviceChoice::Cpu, Precision::Fp32).unwrap();
        Extractor::new(&base, &weights, backend, preprocessing, views, Some(&settings)).unwrap()
    }

    /// The first `count` pictures, all different.
    fn images(&self, count: u8, view: Option<u64>) -> Vec<ImageRequest> {
        let image = |number: u8| {
            let path = self.folder.path().join(format!("{number}.png"));
            if !path.exists() {
                write_picture(&path, number);
            }
            let sha256 = Digest::of_file(&path).unwrap();
            ImageRequest { path, sha256, view }
        };
        (0..count).map(image).collect()
    }

    /// Computes the activations with its own extractor, as another process would.
    fn activations(&self, case: &Case, images: &[ImageRequest]) -> (Vec<f32>, ActivationCounts) {
        let extractor = self.extractor(case);
        (activations_of(&extractor, images), extractor.activation_counts())
    }

    fn kept_files(&self) -> Vec<std::path::PathBuf> {
        files_below(&self.store())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|it| it == "features"))
            .collect()
    }
}

fn write_picture(path: &Path, number: u8) {
    let picture = image::GrayImage::from_fn(32, 32, |x, y| {
        image::Luma([((x * u32::from(number + 3) + y * 7) % 256) as u8])
    });
    picture.save(path).unwrap();
}

fn files_below(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn activations_of(extractor: &Extractor, images: &[ImageRequest]) -> Vec<f32> {
    let mut activations = Vec::new();
    let keep = |batch: &[f32]| {
        activations.extend_from_slice(batch);
        Ok(())
    };
    extractor.for_each_batch(images, 3, keep).unwrap();
    activations
}

fn computed(count: u64) -> ActivationCounts {
    ActivationCounts { computed: count, found: 0 }
}

fn found(count: u64) -> ActivationCounts {
    ActivationCounts { computed: 0, found: count }
}

#[test]
fn what_a_dense_layer_or_its_training_changes_does_not_touch_the_base_again() {
    let bench = Bench::new();
    let images = bench.images(5, None);
    let (activations, counts) = bench.activations(&Case::new(), &images);
    assert_eq!(counts, computed(5));
    let other_views = Augmentation { zoom: 0.5, views: 7, ..Case::new().augmentation };
    for case in [
        Case { hidden_units: 64, ..Case::new() },
        Case { seed: 18, ..Case::new() },
        Case { augmentation: other_views, ..Case::new() },
    ] {
        assert_eq!(bench.activations(&case, &images), (activations.clone(), found(5)));
    }
}

#[test]
fn what_changes_an_activation_makes_another_one() {
    let bench = Bench::new();
    let images = bench.images(2, None);
    bench.activations(&Case::new(), &images);
    for case in [
        Case { normalisation: Normalisation::Imagenet, ..Case::new() },
        Case { kind: HeadKind::MultiScale, ..Case::new() },
        Case { freeze: Freeze::Until("block4_pool".into()), ..Case::new() },
        Case { freeze: Freeze::Until("block4_conv3".into()), ..Case::new() },
    ] {
        assert_eq!(bench.activations(&case, &images).1, computed(2));
        assert_eq!(bench.activations(&case, &images).1, found(2));
    }
}

#[test]
fn each_view_is_kept_for_itself_and_does_not_depend_on_how_many_there_are() {
    let bench = Bench::new();
    let case = Case::new();
    let mut seen = Vec::new();
    for view in [None, Some(0), Some(1)] {
        let (activations, counts) = bench.activations(&case, &bench.images(3, view));
        assert_eq!(counts, computed(3), "{view:?}");
        assert!(!seen.contains(&activations), "view {view:?} is like another");
        seen.push(activations);
    }
    let more = Augmentation { views: 4, ..case.augmentation };
    let more = Case { augmentation: more, ..case.clone() };
    for (view, activations) in [None, Some(0), Some(1)].into_iter().zip(seen) {
        assert_eq!(bench.activations(&more, &bench.images(3, view)), (activations, found(3)));
    }
    let other_seed = Case { seed: 18, ..case };
    assert_eq!(bench.activations(&other_seed, &bench.images(3, Some(0))).1, computed(3));
}

#[test]
fn views_that_never_come_again_are_not_kept_and_plain_images_are() {
    let bench = Bench::new();
    let fresh = Augmentation { views: 0, ..Case::new().augmentation };
    let case = Case { augmentation: fresh, ..Case::new() };
    for counts in [computed(2), computed(2)] {
        assert_eq!(bench.activations(&case, &bench.images(2, Some(1))).1, counts);
    }
    assert_eq!(bench.kept_files().len(), 0);
    for counts in [computed(2), found(2)] {
        assert_eq!(bench.activations(&case, &bench.images(2, None)).1, counts);
    }
}

#[test]
fn a_partly_frozen_base_is_kept_where_its_deepest_frozen_layer_ends() {
    let bench = Bench::new();
    // 32 pixels, halved by four poolings: 512 channels of 2×2.
    let case = Case { freeze: Freeze::Until("block4_pool".into()), ..Case::new() };
    let extractor = bench.extractor(&case);
    assert_eq!(extractor.activation_length(), 512 * 2 * 2);
    let first = activations_of(&extractor, &bench.images(2, None));
    // The head reads the same from it, however it pools.
    let flatten = Case { kind: HeadKind::Flatten, ..case };
    assert_eq!(bench.activations(&flatten, &bench.images(2, None)), (first, found(2)));
}

#[test]
fn where_nothing_is_frozen_or_nothing_may_be_kept_there_is_no_store() {
    let mut bench = Bench::new();
    let unfrozen = Case { freeze: Freeze::None, ..Case::new() };
    assert_eq!(bench.activations(&unfrozen, &bench.images(2, None)).1, computed(2));
    bench.limit_gigabytes = 0.0;
    assert_eq!(bench.activations(&Case::new(), &bench.images(2, None)).1, computed(2));
    assert!(!bench.store().exists());
}

#[test]
fn a_damaged_activation_is_made_again_and_kept_again() {
    let bench = Bench::new();
    let images = bench.images(4, None);
    let (activations, _) = bench.activations(&Case::new(), &images);
    fs::write(&bench.kept_files()[0], b"damaged").unwrap();
    let mut flipped = fs::read(&bench.kept_files()[1]).unwrap();
    flipped[100] ^= 1;
    fs::write(&bench.kept_files()[1], flipped).unwrap();
    let mended = ActivationCounts { computed: 2, found: 2 };
    assert_eq!(bench.activations(&Case::new(), &images), (activations.clone(), mended));
    assert_eq!(bench.activations(&Case::new(), &images), (activations, found(4)));
}

#[test]
fn an_activation_under_another_images_name_is_not_taken_for_it() {
    let bench = Bench::new();
    let images = bench.images(2, None);
    let (activations, _) = bench.activations(&Case::new(), &images);
    let files = bench.kept_files();
    fs::copy(&files[0], &files[1]).unwrap();
    let mended = ActivationCounts { computed: 1, found: 1 };
    assert_eq!(bench.activations(&Case::new(), &images), (activations, mended));
}

#[test]
fn a_store_that_goes_away_under_a_user_breaks_nothing() {
    let bench = Bench::new();
    let images = bench.images(4, None);
    let extractor = bench.extractor(&Case::new());
    let activations = activations_of(&extractor, &images);
    fs::remove_dir_all(bench.store()).unwrap();
    // Not mapped yet: written, but not read.
    assert_eq!(activations_of(&extractor, &images), activations);
    assert_eq!(extractor.activation_counts(), computed(8));
    assert_eq!(activations_of(&extractor, &images), activations);
    fs::remove_dir_all(bench.store()).unwrap();
    // Mapped now: readable without the files.
    assert_eq!(activations_of(&extractor, &images), activations);
    assert_eq!(extractor.activation_counts(), ActivationCounts { computed: 8, found: 8 });
}

#[test]
fn new_images_among_kept_ones_share_their_forward_passes() {
    let image = |number: u8| ImageRequest {
        path: "a.png".into(),
        sha256: Digest::of(&[number]),
        view: None,
    };
    let images: Vec<ImageRequest> = (0..200).map(image).collect();
    let lengths = |is_missing: &[bool]| -> Vec<usize> {
        groups(&images[..is_missing.len()], is_missing).map(<[_]>::len).collect()
    };
    assert_eq!(lengths(&[true; 40]), [16, 16, 8]);
    // Every fifth is new: 16 of them are in 80 images.
    let every_fifth: Vec<bool> = (0..200).map(|index| index % 5 == 4).collect();
    assert_eq!(lengths(&every_fifth), [80, 80, 40]);
    assert_eq!(lengths(&[false; 200]), [128, 72]);
    assert_eq!(lengths(&[]), Vec::<usize>::new());
}

#[test]
fn new_images_among_kept_ones_have_the_activations_they_have_alone() {
    let bench = Bench::new();
    let all = bench.images(40, None);
    let (alone, _) = Bench::new().activations(&Case::new(), &all);
    let old: Vec<ImageRequest> = all.iter().step_by(2).cloned().collect();
    bench.activations(&Case::new(), &old);
    let half = ActivationCounts { computed: 20, found: 20 };
    assert_eq!(bench.activations(&Case::new(), &all), (alone, half));
}

#[test]
fn what_does_not_fit_the_limit_is_computed_each_time_and_the_limit_holds() {
    let mut bench = Bench::new();
    let images = bench.images(10, None);
    let (activations, _) = Bench::new().activations(&Case::new(), &images);
    // Activations of 512 values: 2092 bytes each, so that four fit.
    bench.limit_gigabytes = 9e-6;
    let extractor = bench.extractor(&Case::new());
    assert_eq!(activations_of(&extractor, &images), activations);
    assert_eq!(bench.kept_files().len(), 4);
    assert_eq!(activations_of(&extractor, &images), activations);
    assert_eq!(extractor.activation_counts(), ActivationCounts { computed: 10 + 6, found: 4 });
    assert_eq!(bench.kept_files().len(), 4);
}
