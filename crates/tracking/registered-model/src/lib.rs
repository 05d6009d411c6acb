//! The model folder as a version of a registered model of MLflow, and back.
//!
//! ```text
//! MLmodel                              flavor, signature, example for MLflow           mlmodel
//! requirements.txt, conda.yaml, …      what the loader needs                           environment
//! code/hounsfield_model.py             the loader, for mlflow.pyfunc                   hounsfield_model.py
//! data/…                               the model folder, byte by byte                  package
//! evaluation/scores.json               the scores of evaluate
//! input_example.json, …                a drawn picture, not a scan                     example
//! training_images.txt                  digests of the training images                  package
//! digests.json                         SHA-256 of each of these but MLmodel            package
//! ```
//!
//! A version has the digest of `digests.json` as a tag, so that [`fetch()`] returns exactly the
//! registered files, whatever happened to the server's files since.

mod alias;
mod environment;
mod error;
mod example;
mod fetch;
mod mlmodel;
mod package;

pub use alias::{challenger_alias, champion_alias};
pub use error::{Error, Result};
pub use fetch::{Fetched, fetch, fetch_model_folder, kept, record_version, training_images};
pub use mlmodel::Identity;
pub use package::{Content, DIGESTS_FILE, DIGESTS_TAG, Package, PackageFile};
