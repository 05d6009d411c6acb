//! Stage 1: a source of labelled scans in, split folders and a manifest out.
//!
//! ```text
//! source ─ a folder, a zip file, a server, or drawn here        source, extract, sample
//!   ↓ every file, known by content                              inventory
//!   ↓ split and class of each, from its folders                 layout
//!   ↓ decoded once, digested, measured                          inspect
//!   ↓ splits that the source lacks                              split
//!   ├─ what people corrected, into training alone               corrections
//!   ↓ {train,valid,test}/<class>/…, byte for byte               place
//! manifest.csv, report.json; lesions.csv of the sample set        report
//! ```
//!
//! The output folder appears completely or not at all: it is filled under a temporary name and
//! renamed at the end.

use anyhow::Context;
use artifact::StagedFolder;
use dataset::{LESIONS_FILE, MANIFEST_FILE, Manifest};

mod arguments;
mod corrections;
mod credentials;
mod extract;
mod inspect;
mod inventory;
mod layout;
mod masks;
mod place;
mod proposal;
mod report;
pub mod sample;
mod seen;
mod source;
mod split;
mod yaml_text;

pub use arguments::{Arguments, UnreadableAction};
pub use proposal::{ImageCount, LabelledSource, Proposal, ProposalError};
pub use yaml_text::yaml_text;

use corrections::Corrections;
use layout::Layout;
use masks::Masks;
use report::{Draw, Report};
use source::Source;
use split::SplitOrigin;

/// Ingests the source that the configuration and the arguments name, and prints a summary.
///
/// # Errors
/// When the configuration or a correction cannot be used, the source cannot be obtained or
/// unpacked, its folders do not fit the class map, an image cannot be decoded (unless such images
/// are skipped), or the output cannot be written. The output folder is then unchanged.
pub fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let settings = arguments.settings()?;
    if arguments.check {
        return Ok(());
    }
    let output = &settings.config.paths.data_ingestion;
    let ingest = &settings.params.ingest;

    source::refuse_overlap(&settings.config)?;
    // First of all: an output that cannot be written is reported before an hour of downloading.
    let staged = StagedFolder::in_place_of(output, &[MANIFEST_FILE])?;
    let corrections = Corrections::read(
        settings.config.data.corrections.as_deref(),
        &settings.config.data.classes,
        ingest.on_unreadable,
    )?;
    let source = Source::obtain(&settings)?;
    let folder = source.folder_path();
    let name = &source.provenance.name;
    let files = inventory::take(folder)?;
    let layout = Layout::of(&files, &settings.config.data)
        .with_context(|| format!("find the classes in {name}"))?;
    let masks = Masks::among(&layout.images);
    tracing::info!("decoding {} images of {name}", layout.images.len());
    let inspection = inspect::decode_all(folder, layout.images, ingest.on_unreadable)?;
    let assignment = split::assign(inspection.images, ingest.split, ingest.seed)?;

    let merged = corrections.merge(assignment.images)?;

    let records = place::place_all(&merged.images, folder, source.ownership(), staged.path())?;
    tracing::debug!("placed {} images", records.len());
    let lesions = place::lesions(&merged.images, &records, &source.lesions);
    let corrections = merged.report(&records);
    let manifest = Manifest::new(output, records);
    let is_drawn = assignment.origins.values().any(|origin| *origin == SplitOrigin::Drawn);
    let report = Report {
        data_root: layout.root,
        data_digest: manifest.digest(),
        images: manifest.records().len(),
        splits: report::count_splits(&manifest, &assignment.origins),
        draw: is_drawn.then_some(Draw { seed: ingest.seed, ratios: ingest.split }),
        unreadable: inspection.unreadable,
        passed_over: layout.passed_over,
        split_like: if is_drawn { layout.split_like } else { Vec::new() },
        corrections,
        source: source.provenance.clone(),
    };
    manifest.write(staged.path())?;
    if !lesions.is_empty() {
        dataset::write_lesions(&staged.path().join(LESIONS_FILE), &lesions)?;
    }
    report.write(staged.path())?;
    staged.publish()?;

    report.warn();
    if let Some(masks) = masks {
        masks.warn();
    }
    arguments.common.print(&report.summary(output), &report.facts(output))
}
