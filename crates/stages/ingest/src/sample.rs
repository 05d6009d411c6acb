//! The synthetic sample set: phantoms of axial chest CT, so that the pipeline runs without a
//! download.
//!
//! A phantom is a slice in Hounsfield units (chest wall, ribs, spine, lungs, airways and vessels),
//! displayed through a window with a scanner's blur and noise. Its class only decides the lesion.
//! Patient, scanner and noise come from streams of random numbers that do not depend on the class,
//! so that [`phantom`] gives, for one seed and index, the same patient with and without each
//! lesion.
//!
//! The pictures are for testing software. They are no evidence about real tumours.

mod canvas;
mod class;
mod draws;
mod lesion;
mod lungs;
mod mediastinum;
mod patient;
mod scanner;
mod shape;
mod wall;

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use artifact::IoError;
use dataset::LesionBox;
use image::{GrayImage, ImageFormat};
use rayon::prelude::*;

use canvas::Canvas;
pub use class::SampleClass;
use draws::{Draws, Subject};
use patient::Patient;
use scanner::Scanner;

/// A synthetic slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phantom {
    /// The slice as shown on a screen.
    pub picture: GrayImage,
    /// The lesion: 255 if a pixel is completely lesion, 0 if it has none. Of the picture's size;
    /// all 0 if the class is normal.
    pub lesion: GrayImage,
}

/// A sample set that cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A file or folder cannot be written.
    #[error(transparent)]
    File(#[from] IoError),
    /// A picture cannot be encoded.
    #[error("encode {}: {source}", path.display())]
    Encode {
        /// The picture.
        path: PathBuf,
        /// The encoder's error.
        #[source]
        source: image::ImageError,
    },
}

/// Makes the phantom of a patient, `index`, with the lesion of a class.
///
/// The same arguments give the same pixels, in any thread and on any platform. Phantoms of one seed
/// and index differ between classes only at the lesion.
pub fn phantom(seed: u64, index: usize, class: SampleClass) -> Phantom {
    let draws = |subject| Draws::new(seed, index, subject);
    let mut of_patient = draws(Subject::Patient);
    let patient = Patient::draw(&mut of_patient);
    let scanner = Scanner::draw(&mut draws(Subject::Scanner), &patient);
    let mut canvas = Canvas::new(scanner.frame);
    wall::paint_wall(&mut canvas, &patient, &mut of_patient);
    lungs::paint_lungs(&mut canvas, &patient, &mut of_patient);
    lesion::paint_lesion(&mut canvas, &patient, class, &mut draws(Subject::Lesion));
    mediastinum::paint_mediastinum(&mut canvas, &patient, &mut of_patient);
    wall::paint_bones(&mut canvas, &patient, &mut of_patient);
    let picture = scanner.expose(&canvas, &mut draws(Subject::Noise));
    let lesion = canvas.lesion.iter().map(|share| (share * 255.0).round() as u8).collect();
    Phantom { picture: grey(&canvas, picture), lesion: grey(&canvas, lesion) }
}

impl Phantom {
    /// The box around the pixels that are mostly lesion; none if there are none.
    pub fn lesion_box(&self) -> Option<LesionBox> {
        let (width, height) = self.lesion.dimensions();
        let inside = self.lesion.enumerate_pixels().filter(|(_, _, share)| share.0[0] >= 128);
        let [left, top, right, bottom] = inside.fold([width, height, 0, 0], |found, (x, y, _)| {
            [found[0].min(x), found[1].min(y), found[2].max(x + 1), found[3].max(y + 1)]
        });
        let (across, down) = (f64::from(width), f64::from(height));
        (right > 0).then(|| LesionBox {
            left: f64::from(left) / across,
            top: f64::from(top) / down,
            right: f64::from(right) / across,
            bottom: f64::from(bottom) / down,
        })
    }
}

fn grey(canvas: &Canvas, pixels: Vec<u8>) -> GrayImage {
    let (width, height) = (canvas.frame.width as u32, canvas.frame.height as u32);
    GrayImage::from_raw(width, height, pixels).expect("a canvas has a value for every pixel")
}

/// Writes a sample set as `folder/<class>/<nnn>.png` (8-bit grey), the classes in turn, so that
/// their counts differ by one at most. Returns the lesions, by the path below `folder`.
///
/// The bytes depend only on `images` and `seed`.
///
/// # Errors
/// When a folder or file cannot be written.
pub fn write_source(
    folder: &Path,
    images: usize,
    seed: u64,
) -> Result<BTreeMap<String, LesionBox>, SampleError> {
    for class in SampleClass::ALL {
        artifact::create_folder(&folder.join(class.folder()))?;
    }
    let draw = |index: usize| {
        let class = SampleClass::ALL[index % SampleClass::ALL.len()];
        let number = index / SampleClass::ALL.len();
        let name = format!("{}/{number:03}.png", class.folder());
        let path = folder.join(&name);
        let mut png = Cursor::new(Vec::new());
        let phantom = phantom(seed, index, class);
        phantom
            .picture
            .write_to(&mut png, ImageFormat::Png)
            .map_err(|source| SampleError::Encode { path: path.clone(), source })?;
        artifact::write_file(&path, png.get_ref())?;
        Ok(phantom.lesion_box().map(|lesion| (name, lesion)))
    };
    let lesions: Vec<Result<Option<_>, SampleError>> =
        (0..images).into_par_iter().map(draw).collect();
    lesions.into_iter().filter_map(Result::transpose).collect()
}

#[cfg(test)]
mod tests {
    use artifact::Digest;
    use rayon::ThreadPoolBuilder;

    use super::*;

    /// A feature that a program without knowledge of lesions could classify pictures by.
    struct Clue {
        class: usize,
        values: Vec<f64>,
    }

    fn histogram(picture: &GrayImage) -> Vec<f64> {
        let mut bins = vec![0.0; 32];
        for grey in picture.as_raw() {
            bins[usize::from(grey / 8)] += 1.0 / picture.len() as f64;
        }
        bins
    }

    fn size_and_bytes_per_pixel(picture: &GrayImage) -> Vec<f64> {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).unwrap();
        let (width, height) = picture.dimensions();
        let density = png.get_ref().len() as f64 / f64::from(width * height);
        vec![width.into(), height.into(), density]
    }

    fn clues(images: usize, clue: impl Fn(&GrayImage) -> Vec<f64> + Sync) -> Vec<Clue> {
        let clue = |index: usize| {
            let class = index % SampleClass::ALL.len();
            Clue { class, values: clue(&phantom(3, index, SampleClass::ALL[class]).picture) }
        };
        (0..images).into_par_iter().map(clue).collect()
    }

    fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum()
    }

    /// Every value with mean 0 and deviation 1.
    fn standardise(clues: &mut [Clue]) {
        for position in 0..clues[0].values.len() {
            let count = clues.len() as f64;
            let mean = clues.iter().map(|clue| clue.values[position]).sum::<f64>() / count;
            let square = |clue: &Clue| (clue.values[position] - mean).powi(2);
            let deviation = (clues.iter().map(square).sum::<f64>() / count).sqrt().max(1e-12);
            for clue in clues.iter_mut() {
                clue.values[position] = (clue.values[position] - mean) / deviation;
            }
        }
    }

    fn nearest_centroid(known: &[&Clue], unknown: &Clue) -> usize {
        let distance = |class: usize| {
            let members: Vec<_> = known.iter().filter(|clue| clue.class == class).collect();
            let centroid: Vec<f64> = (0..unknown.values.len())
                .map(|at| members.iter().map(|m| m.values[at]).sum::<f64>() / members.len() as f64)
                .collect();
            squared_distance(&centroid, &unknown.values)
        };
        (0..4).min_by(|a, b| distance(*a).total_cmp(&distance(*b))).unwrap()
    }

    fn seven_nearest(known: &[&Clue], unknown: &Clue) -> usize {
        let mut neighbours: Vec<(f64, usize)> = known
            .iter()
            .map(|clue| (squared_distance(&clue.values, &unknown.values), clue.class))
            .collect();
        neighbours.sort_by(|a, b| a.0.total_cmp(&b.0));
        let votes = |class: usize| neighbours[..7].iter().filter(|n| n.1 == class).count();
        (0..4).max_by_key(|class| votes(*class)).unwrap()
    }

    /// The accuracy of a classifier on images it has not seen, over five folds.
    fn accuracy(clues: &[Clue], classify: impl Fn(&[&Clue], &Clue) -> usize) -> f64 {
        let fold = |position: usize| position / SampleClass::ALL.len() % 5;
        let is_right = |(position, unknown): &(usize, &Clue)| {
            let others =
                clues.iter().enumerate().filter(|(other, _)| fold(*other) != fold(*position));
            let known: Vec<&Clue> = others.map(|(_, clue)| clue).collect();
            classify(&known, unknown) == unknown.class
        };
        let right = clues.iter().enumerate().filter(is_right).count();
        right as f64 / clues.len() as f64
    }

    /// With 240 images of 4 classes, chance is 0.25 ± 0.03.
    fn assert_tells_nothing(name: &str, mut clues: Vec<Clue>) {
        standardise(&mut clues);
        for (classifier, accuracy) in [
            ("nearest centroid", accuracy(&clues, nearest_centroid)),
            ("seven nearest", accuracy(&clues, seven_nearest)),
        ] {
            assert!(accuracy <= 0.35, "{classifier} on {name}: {accuracy}");
        }
    }

    #[test]
    fn a_grey_histogram_tells_nothing() {
        assert_tells_nothing("histogram", clues(240, histogram));
    }

    #[test]
    fn size_and_bytes_per_pixel_tell_nothing() {
        assert_tells_nothing("size", clues(240, size_and_bytes_per_pixel));
    }

    #[test]
    fn the_control_itself_finds_a_class_that_is_brighter() {
        let mut clues = clues(80, histogram);
        for clue in clues.iter_mut().filter(|clue| clue.class == 0) {
            clue.values[31] += 0.5;
        }
        assert!(accuracy(&clues, nearest_centroid) > 0.4);
    }

    #[test]
    fn classes_differ_by_the_lesion_alone() {
        // the scanner's blur carries a lesion this far beyond its border
        const REACH: u32 = 5;
        for index in 0..4 {
            let normal = phantom(1, index, SampleClass::Normal);
            assert!(normal.lesion.as_raw().iter().all(|share| *share == 0));
            for class in SampleClass::ALL {
                let other = phantom(1, index, class);
                assert_eq!(other.picture.dimensions(), normal.picture.dimensions());
                for (x, y, grey) in other.picture.enumerate_pixels() {
                    let is_near = |(column, row): (u32, u32)| {
                        other.lesion.get_pixel_checked(column, row).is_some_and(|p| p.0[0] > 0)
                    };
                    let around = x.saturating_sub(REACH)..=x + REACH;
                    let mut near = around.flat_map(|column| {
                        (y.saturating_sub(REACH)..=y + REACH).map(move |row| (column, row))
                    });
                    assert!(
                        grey == normal.picture.get_pixel(x, y) || near.any(is_near),
                        "{class:?} {index} differs at {x}, {y}, far from its lesion"
                    );
                }
            }
        }
    }

    #[test]
    fn the_box_holds_the_lesion_and_little_else() {
        for class in SampleClass::ALL {
            let phantom = phantom(4, 1, class);
            let Some(found) = phantom.lesion_box() else {
                assert_eq!(class, SampleClass::Normal);
                continue;
            };
            let (width, height) = phantom.lesion.dimensions();
            let inside = |x: u32, y: u32| {
                let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                (found.left * f64::from(width)..found.right * f64::from(width)).contains(&x)
                    && (found.top * f64::from(height)..found.bottom * f64::from(height))
                        .contains(&y)
            };
            let pixels = || phantom.lesion.enumerate_pixels();
            assert!(pixels().all(|(x, y, share)| share.0[0] < 128 || inside(x, y)), "{class:?}");
            let boxed = pixels().filter(|(x, y, _)| inside(*x, *y)).count();
            let lesion = pixels().filter(|(_, _, share)| share.0[0] >= 128).count();
            assert!(boxed < 3 * lesion, "{class:?}: {lesion} of {boxed}");
        }
    }

    /// The lesion's share of the picture, and how far its middle is from the picture's, in widths.
    fn extent(class: SampleClass, index: usize) -> (f64, f64) {
        let lesion = phantom(9, index, class).lesion;
        let mass: f64 = lesion.as_raw().iter().map(|share| f64::from(*share) / 255.0).sum();
        let moment: f64 = lesion
            .enumerate_pixels()
            .map(|(x, _, share)| f64::from(x) * f64::from(share.0[0]) / 255.0)
            .sum();
        let width = f64::from(lesion.width());
        (mass / lesion.len() as f64, (moment / mass / width - 0.5).abs())
    }

    #[test]
    fn each_lesion_has_the_size_and_place_of_its_class() {
        for index in 0..24 {
            let (nodule, nodule_place) = extent(SampleClass::Adenocarcinoma, index);
            let (mass, _) = extent(SampleClass::LargeCellCarcinoma, index);
            let (hilar, hilar_place) = extent(SampleClass::SquamousCellCarcinoma, index);
            assert!((0.006..0.03).contains(&nodule), "{index}: nodule {nodule}");
            assert!((0.015..0.05).contains(&hilar), "{index}: hilar mass {hilar}");
            assert!((0.03..0.09).contains(&mass), "{index}: large mass {mass}");
            assert!(nodule_place > 0.2 && hilar_place < 0.3, "{nodule_place} {hilar_place}");
            assert!(nodule < mass && hilar < mass && hilar_place < nodule_place, "{index}");
        }
    }

    #[test]
    fn pixels_are_the_same_on_every_platform() {
        let picture = phantom(17, 0, SampleClass::Adenocarcinoma).picture;
        let digest = Digest::of(picture.as_raw()).short();
        assert_eq!((picture.dimensions(), digest.as_str()), ((235, 174), "14f826c3c555"));
    }

    fn written_by(threads: usize) -> Vec<(String, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        let pool = ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let lesions = pool.install(|| write_source(folder.path(), 6, 17)).unwrap();
        assert_eq!(lesions.len(), 5, "all but the normal one");
        let files = walkdir::WalkDir::new(folder.path()).sort_by_file_name().into_iter();
        files
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| {
                let name = entry.path().strip_prefix(folder.path()).unwrap();
                (name.to_string_lossy().replace('\\', "/"), std::fs::read(entry.path()).unwrap())
            })
            .collect()
    }

    #[test]
    fn files_do_not_depend_on_the_number_of_threads() {
        let files = written_by(1);
        let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            [
                "adenocarcinoma/000.png",
                "adenocarcinoma/001.png",
                "large_cell_carcinoma/000.png",
                "large_cell_carcinoma/001.png",
                "normal/000.png",
                "squamous_cell_carcinoma/000.png",
            ]
        );
        assert!(files == written_by(3));
    }
}
