//! The synthetic sample set: phantoms of axial chest CT, so that the pipeline runs with no
//! download.
//!
//! A phantom is a slice in Hounsfield units (chest wall, ribs, spine, lungs with vessels, heart and
//! great vessels), shown through a window with a scanner's blur and noise. Its class decides one
//! thing: the lesion. Patient, scanner and noise come from streams of random numbers that do not
//! know the class, so that [`phantom`] gives, for one seed and index, the same patient with and
//! without each lesion.
//!
//! The pictures are for testing software. They say nothing about real tumours.

mod canvas;
mod draws;
mod lesion;
mod lungs;
mod mediastinum;
mod patient;
mod scanner;
mod shape;
mod wall;

use std::io::Cursor;
use std::path::{Path, PathBuf};

use artifact::IoError;
use image::{GrayImage, ImageFormat};
use rayon::prelude::*;

use canvas::Canvas;
use draws::{Draws, Subject};
use patient::Patient;
use scanner::Scanner;

/// What a phantom shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SampleClass {
    /// A spiculated nodule under the pleura.
    Adenocarcinoma,
    /// A large lobulated mass.
    LargeCellCarcinoma,
    /// No lesion.
    Normal,
    /// A mass at the hilum.
    SquamousCellCarcinoma,
}

impl SampleClass {
    /// Every class, in alphabetical order.
    pub const ALL: [Self; 4] =
        [Self::Adenocarcinoma, Self::LargeCellCarcinoma, Self::Normal, Self::SquamousCellCarcinoma];

    /// The folder that holds the class.
    pub fn folder(self) -> &'static str {
        match self {
            Self::Adenocarcinoma => "adenocarcinoma",
            Self::LargeCellCarcinoma => "large_cell_carcinoma",
            Self::Normal => "normal",
            Self::SquamousCellCarcinoma => "squamous_cell_carcinoma",
        }
    }
}

/// A synthetic slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phantom {
    /// The slice as shown on a screen.
    pub picture: GrayImage,
    /// Where the lesion is: 255 where a pixel is all lesion, 0 where it has none. Of the picture's
    /// size; all 0 where the class is normal.
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
        /// What the encoder said.
        #[source]
        source: image::ImageError,
    },
}

/// Makes the phantom of a patient, `index`, with the lesion of a class.
///
/// The same arguments give the same pixels, in any thread and on any platform. Phantoms of one seed
/// and index differ between classes only where a lesion is.
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

fn grey(canvas: &Canvas, pixels: Vec<u8>) -> GrayImage {
    let (width, height) = (canvas.frame.width as u32, canvas.frame.height as u32);
    GrayImage::from_raw(width, height, pixels).expect("a canvas has a value for every pixel")
}

/// Writes a sample set as `folder/<class>/<nnn>.png` (8-bit grey), the classes in turn, so that
/// their counts differ by one at most.
///
/// The bytes depend on `images` and `seed` alone.
///
/// # Errors
/// When a folder or file cannot be written.
pub fn write_source(folder: &Path, images: usize, seed: u64) -> Result<(), SampleError> {
    for class in SampleClass::ALL {
        artifact::create_folder(&folder.join(class.folder()))?;
    }
    (0..images).into_par_iter().try_for_each(|index| {
        let class = SampleClass::ALL[index % SampleClass::ALL.len()];
        let number = index / SampleClass::ALL.len();
        let path = folder.join(class.folder()).join(format!("{number:03}.png"));
        let mut png = Cursor::new(Vec::new());
        phantom(seed, index, class)
            .picture
            .write_to(&mut png, ImageFormat::Png)
            .map_err(|source| SampleError::Encode { path: path.clone(), source })?;
        Ok(artifact::write_file(&path, png.get_ref())?)
    })
}
