//! Stage 2: can a score on this data be believed?
//!
//! ```text
//! images, as ingest left them, each decoded once       images
//!   ├─ copies and slices of one scan                   ties, groups
//!   ├─ patients                                        patients
//!   │    ↓ splits in which no group stands in two      split
//!   ├─ leaks, label conflicts, odd pictures            leaks, findings
//!   ├─ baselines that know nothing of tumours,         shortcut
//!   │  with the split as it is and with random ones
//!   ↓ what the policy makes of it                      policy, verdict
//! manifest.csv, baselines.csv, split_audit.json,
//! report.json, report.html, tables                     written, page, tables
//! ```
//!
//! It changes no file of another stage, and deletes no image: dropped images are marked in the
//! manifest that later stages read.

use anyhow::{Context, Result, bail};
use artifact::StagedFolder;
use dataset::{
    BASELINES_FILE, ClassIndices, GroupNumber, Manifest, SPLIT_AUDIT_FILE, Split, SplitAudit,
    ValidatedManifest, ValidatedRecord,
};
use program::Settings;
use serde_json::json;

mod arguments;
mod coverage;
mod findings;
mod groups;
mod images;
mod ingested;
mod leaks;
mod level;
mod page;
mod patient_counts;
mod patients;
mod policy;
mod shortcut;
mod split;
mod summary;
mod tables;
mod ties;
mod verdict;
mod written;

pub use arguments::Arguments;

use coverage::{Coverage, Unit};
use findings::Findings;
use groups::{Groups, pairs_of_equal};
use images::DecodedImage;
use ingested::IngestReport;
use page::{Content, PAGE_FILE};
use patient_counts::PatientCounts;
use policy::Policy;
use shortcut::{PlacedImages, Shortcuts};
use summary::Summary;
use ties::{Evidence, Ties};
use verdict::{Conclusion, VerdictInputs};
use written::{CopyPair, ImageCounts, REPORT_FILE, Report};

/// Validates the images from `ingest`, writes the manifest that later stages read with a report,
/// and prints the findings.
///
/// # Errors
/// When the configuration cannot be used, an image is missing or has changed, the output cannot be
/// written, or there is a finding whose policy is `fail`: then the report is written, but no
/// manifest.
pub fn run(arguments: &Arguments) -> Result<()> {
    let settings = arguments.settings()?;
    let data = Data::read(&settings)?;
    let output = &settings.config.paths.data_validation;
    // Before the work: an output that cannot be written is reported at once.
    let staged = StagedFolder::in_place_of(output, &[REPORT_FILE])?;

    let seen = images::look_at_all(&data.manifest)?;
    let validation = Validation::of(&settings, data, &seen)?;
    validation.write(&settings, staged.path())?;
    let failures = validation.failures();
    if failures.is_empty() {
        validation.manifest.write(staged.path())?;
        let file = staged.path().join(BASELINES_FILE);
        dataset::write_baselines(&file, &validation.classes, &validation.shortcuts.predictions)?;
    }
    staged.publish()?;

    validation.warn();
    let page = output.join(PAGE_FILE);
    if !failures.is_empty() {
        bail!(
            "accept the data: {}; see {} (validation.policy in params.yaml is fail)",
            failures.join("; "),
            page.display()
        );
    }
    let summary = Summary {
        conclusion: &validation.conclusion,
        copies: &validation.findings.copies,
        included: validation.manifest.included().records().len(),
        page: &page,
    };
    let facts = json!({
        "program": "validate",
        "output": output,
        "report": page,
        "verdict": validation.conclusion.level,
        "headline": validation.conclusion.headline,
        "images": validation.findings.copies.images,
        "included": summary.included,
    });
    arguments.common.print(&summary.to_string(), &facts)
}

/// The output of `ingest`, and the patients of the images.
struct Data {
    manifest: Manifest,
    ingested: IngestReport,
    patients: Vec<Option<String>>,
}

impl Data {
    fn read(settings: &Settings) -> Result<Self> {
        let folder = &settings.config.paths.data_ingestion;
        let manifest = Manifest::read(folder).context("find the images; run ingest first")?;
        let patients = patients::patients_of(&manifest, &settings.config.data.patients)?;
        Ok(Self { ingested: IngestReport::read(folder)?, manifest, patients })
    }
}

/// All findings and decisions.
struct Validation {
    data: Data,
    classes: ClassIndices,
    ties: Ties,
    splits: Vec<Split>,
    patients: PatientCounts,
    findings: Findings,
    shortcuts: Shortcuts,
    split_audit: SplitAudit,
    verdicts: Vec<policy::Verdict>,
    conclusion: Conclusion,
    manifest: ValidatedManifest,
}

impl Validation {
    fn of(settings: &Settings, data: Data, seen: &[DecodedImage]) -> Result<Self> {
        let params = &settings.params.validation;
        let images = data.manifest.records();
        let classes = data.manifest.classes();
        let ties = Ties::find(images, seen);
        let groups = groups_of(images.len(), &ties, &data.patients);
        let bound = data.ingested.bound_to_training(images);
        let ratios = settings.params.ingest.split;
        let splits = if params.resplit {
            split::draw(images, &groups, &bound, ratios, params.seed)
        } else {
            let drawn = data.ingested.drawn_splits();
            split::keep_groups_whole(images, &groups, &bound, &drawn, ratios, params.seed)
        };
        let findings = Findings::of(images, &splits, seen, &ties, &classes);
        let excluded = policy::exclusions(images, &splits, &ties, &findings.odd, &params.policy)?;
        let duplicate_groups = duplicate_groups(images.len(), &ties);
        let placed = PlacedImages {
            images,
            seen,
            splits: &splits,
            excluded: &excluded,
            groups: &groups,
            duplicate_groups: &duplicate_groups,
        };
        let shortcuts = Shortcuts::look_for(&placed, &classes, params.seed)?;
        let positive = &settings.config.data.positive;
        let split_audit = placed.audit_split(&classes, positive, params.seed);
        let patients = PatientCounts::of(&data.patients, &splits);
        let unit = if patients.patients > 0 { Unit::Patient } else { Unit::Image };
        let takes_part = |image: &usize| excluded[*image].is_none();
        let taking_part = (0..images.len())
            .filter(takes_part)
            .map(|image| (splits[image], images[image].class.as_str(), groups.of_image(image)));
        let coverage = Coverage::of(&classes, unit, taking_part);
        let about = VerdictInputs {
            policy: &params.policy,
            unreadable: &data.ingested.unreadable,
            shortcuts: &shortcuts.claims,
            test_images: splits.iter().filter(|split| **split == Split::Test).count(),
            patients: &patients,
            coverage: &coverage,
        };
        let verdicts = verdict::verdicts(&findings, &about);
        let conclusion = Conclusion::of(&findings, &verdicts, &about);

        let records = images.iter().enumerate().map(|(place, image)| {
            let mut image = image.clone();
            let original_split = image.split;
            image.split = splits[place];
            ValidatedRecord {
                image,
                original_split,
                duplicate_group: duplicate_groups[place],
                group: groups.of_image(place),
                patient_id: data.patients[place].clone(),
                excluded: excluded[place],
            }
        });
        let folder = &settings.config.paths.data_ingestion;
        let manifest = ValidatedManifest::new(folder, records.collect());
        Ok(Self {
            data,
            classes,
            ties,
            splits,
            patients,
            findings,
            shortcuts,
            split_audit,
            verdicts,
            conclusion,
            manifest,
        })
    }

    /// Findings whose policy is `fail`.
    fn failures(&self) -> Vec<String> {
        let failed = self.verdicts.iter().filter(|it| it.policy == Policy::Fail && it.count > 0);
        failed.map(|it| format!("{}: {}", it.finding, it.in_words)).collect()
    }

    fn warn(&self) {
        let moved = self.manifest.records().iter().filter(|it| it.image.split != it.original_split);
        if moved.clone().next().is_some() {
            let count = |split| self.splits.iter().filter(|it| **it == split).count();
            tracing::warn!(
                "{} images were moved to another split than ingest drew, so that no patient, scan or \
                 copies are in two splits: now {} train, {} valid, {} test",
                moved.count(),
                count(Split::Train),
                count(Split::Valid),
                count(Split::Test)
            );
        }
        let told = self.verdicts.iter().filter(|it| it.count > 0 && it.policy != Policy::Ignore);
        for verdict in told {
            tracing::warn!("{}: {}", verdict.finding, verdict.in_words);
        }
    }

    /// Writes reports and tables; the manifest is not one of them.
    fn write(&self, settings: &Settings, folder: &std::path::Path) -> Result<()> {
        let images = self.data.manifest.records();
        let report = self.report();
        artifact::write_json(&folder.join(REPORT_FILE), &report)?;
        artifact::write_json(&folder.join(SPLIT_AUDIT_FILE), &self.split_audit)?;
        let copies = folder.join(tables::COPIES_FILE);
        tables::write_copies(&copies, images, &self.splits, &self.ties)?;
        let counts = folder.join(tables::CLASS_COUNTS_FILE);
        tables::write_class_counts(&counts, &self.classes, &self.findings)?;
        let histograms = folder.join(tables::HISTOGRAMS_FILE);
        tables::write_histograms(&histograms, &self.classes, &self.findings)?;
        let content = Content {
            manifest: &self.data.manifest,
            classes: &self.classes,
            splits: &self.splits,
            ties: &self.ties,
            findings: &self.findings,
            shortcuts: &self.shortcuts,
            split_audit: &self.split_audit,
            report: &report,
        };
        tracing::debug!(
            "drawing {}",
            settings.config.paths.data_validation.join(PAGE_FILE).display()
        );
        artifact::write_file(&folder.join(PAGE_FILE), content.page()?.as_bytes())?;
        Ok(())
    }

    fn report(&self) -> Report<'_> {
        let included = self.manifest.included();
        let records = self.manifest.records();
        let excluded =
            records.iter().filter_map(|record| Some((record.image.path.clone(), record.excluded?)));
        let images = self.data.manifest.records();
        let mut pairs: Vec<_> =
            self.ties.copies.iter().filter(|tie| tie.evidence != Evidence::File).collect();
        pairs.sort_by(|a, b| a.distance.total_cmp(&b.distance));
        let pair = |tie: &ties::CopyTie| CopyPair {
            a: images[tie.a].path.clone(),
            b: images[tie.b].path.clone(),
            evidence: tie.evidence,
            relation: tie.relation.clone(),
            distance: tie.distance,
        };
        Report {
            conclusion: &self.conclusion,
            findings: &self.verdicts,
            data_digest: included.digest(),
            images: ImageCounts {
                all: records.len(),
                included: Split::ALL.map(|it| (it, included.split(it).count())).into(),
                excluded: records.len() - included.records().len(),
                moved: records.iter().filter(|it| it.image.split != it.original_split).count(),
            },
            classes: self.classes.names(),
            copies: &self.findings.copies,
            leaks: &self.findings.leaks,
            label_conflicts: &self.findings.label_conflicts,
            same_scan: &self.findings.same_scan,
            copy_pairs: pairs.into_iter().map(pair).collect(),
            patients: &self.patients,
            shortcuts: &self.shortcuts,
            pictures: &self.findings.pictures,
            balance: &self.findings.balance,
            intensity: &self.findings.intensity,
            unreadable: &self.data.ingested.unreadable,
            excluded: excluded.collect(),
        }
    }
}

/// Images that splits must keep together. Pictures that look like slices of one scan are not joined
/// if both patients are known, because patients are the better evidence.
fn groups_of(images: usize, ties: &Ties, patients: &[Option<String>]) -> Groups {
    let of_patients = pairs_of_equal(patients.iter().map(Option::as_ref));
    let is_open = |(a, b): &(usize, usize)| patients[*a].is_none() || patients[*b].is_none();
    let of_scans = ties.scan_pairs().filter(is_open);
    Groups::of(images, ties.copies_by(Evidence::Near).chain(of_scans).chain(of_patients))
}

/// The group of copies of each image, if it has any.
fn duplicate_groups(images: usize, ties: &Ties) -> Vec<Option<GroupNumber>> {
    let groups = Groups::of(images, ties.copies_by(Evidence::Near));
    let members = groups.members();
    (0..images)
        .map(|image| groups.of_image(image))
        .map(|group| (members[group.0 as usize].len() > 1).then_some(group))
        .collect()
}
