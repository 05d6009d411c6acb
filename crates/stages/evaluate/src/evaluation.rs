//! A model and the images that it is scored on, and the steps of the evaluation.

use anyhow::{Context, Result};
use artifact::StagedFolder;
use classifier::calibration::{Calibration, temperature_of};
use classifier::checkpoint::{EpochRow, HISTORY_FILE};
use classifier::description::ModelDescription;
use classifier::features::StoreSettings;
use classifier::model::{BatchSize, Input, Model};
use dataset::{BASELINES_FILE, SPLIT_AUDIT_FILE, Split, SplitAudit, ValidatedManifest};
use fit::Refit;
use metrics::{Bootstrap, Predictions};
use program::Settings;
use scoring::looks::{self, TestSetLooks};
use scoring::{Mask, Prediction, TestSet, predict, predict_with_activations, write_predictions};

use crate::arguments::Arguments;
use crate::examples::Examples;
use crate::explanations::{Examination, Explanations, with_shuffled};
use crate::page::{Evaluated, ModelInWords};
use crate::plots;
use crate::scores::{Scored, Scores};
use crate::source::Source;
use crate::worth::deeper::{ScoreExamination, Training, validation_set};
use crate::worth::leak::{Leak, Measurement};
use crate::worth::split_audit::{ModelSplitAudit, SplitAuditor};
use crate::worth::training_pictures::TrainingPictures;
use crate::worth::{self, Contest, Refits, Trainings, Worth};

pub(crate) const SCORES_FILE: &str = "scores.json";
pub(crate) const PREDICTIONS_FILE: &str = "predictions.csv";
pub(crate) const CONFUSION_MATRIX_FILE: &str = "confusion_matrix.csv";
pub(crate) const ROC_FILE: &str = "roc.csv";
pub(crate) const RELIABILITY_FILE: &str = "reliability.csv";
pub(crate) const REPORT_FILE: &str = "report.html";

/// Everything that the scores depend on.
pub(crate) struct Evaluation {
    pub(crate) settings: Settings,
    pub(crate) model: Model,
    pub(crate) calibration: Option<Calibration>,
    /// The output of `validate`; not needed for another folder of images.
    pub(crate) validated: Option<ValidatedManifest>,
    pub(crate) test: TestSet,
    pub(crate) source: Source,
}

impl Evaluation {
    pub(crate) fn prepare(arguments: &Arguments, settings: Settings) -> Result<Self> {
        let paths = &settings.config.paths;
        let model = Model::load(&paths.model, settings.params.evaluate.device)?;
        let calibration = Calibration::read(&paths.model, model.description())?;
        if calibration.is_none() {
            tracing::warn!(
                "the model is not calibrated; run calibrate to get calibrated probabilities"
            );
        }
        let validated = ValidatedManifest::read(&paths.data_validation, &paths.data_ingestion)
            .context("find the images; run validate first");
        let (test, validated, source) = match &arguments.data {
            Some(folder) => {
                // Only needed to know which of these images were trained on.
                let validated = validated.ok();
                let classes = &settings.config.data.classes;
                let known = validated.as_ref();
                let test = TestSet::of_folder(folder, classes, model.classes(), known)?;
                (test, validated, Source::Folder)
            }
            None => {
                let validated = validated?;
                warn_of_other_data(&validated, model.description());
                let test = TestSet::of_split(&validated, model.classes())?;
                (test, Some(validated), Source::TestSplit)
            }
        };
        Ok(Self { model, calibration, validated, test, source, settings })
    }

    pub(crate) fn temperature(&self) -> metrics::Temperature {
        temperature_of(self.calibration.as_ref())
    }

    fn bootstrap(&self) -> Bootstrap {
        let params = &self.settings.params.evaluate;
        Bootstrap { seed: params.seed, resamples: params.bootstrap_resamples }
    }

    /// The data for training heads again, to measure the effect of copies and look-alikes in
    /// training; only if it is the data that the model was trained on.
    pub(crate) fn refit(&self) -> Result<Option<Refit>> {
        let trained = self.validated.as_ref().filter(|_| self.source == Source::TestSplit);
        let images = trained.map_or(0, |it| it.included().split(Split::Train).count());
        let is_cheap = self.model.is_single() && self.model.description().architecture.is_frozen();
        let asks_again = is_cheap && self.settings.params.evaluate.control_refits > 0;
        if images == 0 || !asks_again {
            return Ok(None);
        }
        let config = &self.settings.config;
        let features = StoreSettings::of(config);
        Ok(Some(Refit::of_model(&self.model, &config.paths.base_model, &features)?))
    }

    fn copied_test_images(&self) -> usize {
        self.test.places(|image| image.has_copy_in_training).len()
    }

    /// The model's predictions. If other heads will predict the same images, the output of the
    /// frozen layers is kept.
    pub(crate) fn predict(&self, test: &TestSet, refit: Option<&Refit>) -> Result<Vec<Prediction>> {
        let (model, images) = (&self.model, &test.images);
        Ok(match refit {
            Some(refit) => {
                predict_with_activations(model, refit.extractor(), images, self.temperature())?
            }
            None => predict(model, images, self.temperature())?,
        })
    }

    pub(crate) fn score(
        &self,
        predictions: &[Prediction],
        refit: Option<&Refit>,
    ) -> Result<Scores> {
        let classes = self.model.classes();
        let rows: Predictions = scoring::for_metrics(classes, predictions)?;
        let contest = Contest {
            classes,
            test: &self.test,
            predictions: &rows,
            bootstrap: self.bootstrap(),
            is_control: self.model.description().training.permute_labels,
        };
        let pictures = self.training_pictures()?;
        let worth = self.worth(&contest, predictions, refit, pictures.as_ref())?;
        let explanations = self.explanations(predictions, pictures.as_ref())?;
        let data = match self.source {
            Source::TestSplit => self.validated.as_ref().map(|it| it.included().digest()),
            Source::Folder => None,
        };
        let scored = Scored {
            model: self.model.description().digests.weights,
            data,
            classes,
            test: &self.test,
            predictions: &rows,
            bootstrap: self.bootstrap(),
            temperature: self.temperature().get(),
            positive: self.calibration.as_ref().and_then(|it| it.positive.as_ref()),
        };
        Ok(Scores::new(&scored, worth, explanations)?)
    }

    /// The worth of the score, and its sources.
    fn worth(
        &self,
        contest: &Contest<'_>,
        predictions: &[Prediction],
        refit: Option<&Refit>,
        pictures: Option<&TrainingPictures>,
    ) -> Result<Worth> {
        let rivals = contest.rivals(&self.baselines()?)?;
        let (leak, trainings) = self.leak(predictions, refit)?;
        let validation = self.validation(refit)?;
        let look = ScoreExamination {
            contest,
            rivals: &rivals,
            predictions,
            validation: validation.as_ref(),
            positive: self.calibration.as_ref().and_then(|it| it.positive.as_ref()),
            temperature: self.temperature(),
            why_no_refit: self.why_no_refit(),
            params: self.settings.params.evaluate,
        };
        let copies = self.validated.as_ref().map(worth::leak::copies).unwrap_or_default();
        let training = self.validated.as_ref().zip(pictures).map(|(validated, pictures)| {
            let leak = (&leak, trainings.as_ref());
            Training { validated, pictures, refit, copies: &copies, leak }
        });
        let answer = |images: &[Vec<f32>]| {
            let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
            let outputs = self.model.output(Input::Images(&images), BatchSize::Fixed)?;
            Ok(outputs.into_iter().map(|output| output.logits).collect())
        };
        let mut deeper = look.look(training.as_ref(), self.model.input(), &answer)?;
        deeper.split_audit = self.split_audit(contest, refit)?;
        Ok(contest.decide(&rivals, leak).deepened(deeper))
    }

    /// The effect of the split on the score; none for a head that learns by epochs, which would
    /// take as long as ten trainings.
    fn split_audit(
        &self,
        contest: &Contest<'_>,
        refit: Option<&Refit>,
    ) -> Result<Option<ModelSplitAudit>> {
        let is_solved = self.model.is_single() && self.model.description().solved.is_some();
        let (Some(validated), Some(refit), true) = (&self.validated, refit, is_solved) else {
            return Ok(None);
        };
        let file = self.settings.config.paths.data_validation.join(SPLIT_AUDIT_FILE);
        let of_baselines =
            SplitAudit::read(&file).context("find the audit of the split; run validate again")?;
        let classes = self.model.classes();
        let auditor = SplitAuditor { validated, classes, refit, seed: of_baselines.seed };
        auditor.audit(contest.predictions.confusion_matrix().accuracy(), &of_baselines)
    }

    /// The training images, to compare the test images with; none for images from elsewhere.
    fn training_pictures(&self) -> Result<Option<TrainingPictures>> {
        match (self.source, &self.validated) {
            (Source::TestSplit, Some(validated)) => Ok(TrainingPictures::read(validated)?),
            _ => Ok(None),
        }
    }

    /// The model's predictions for the validation images, if there are any.
    fn validation(&self, refit: Option<&Refit>) -> Result<Option<Predictions>> {
        let validated = self.validated.as_ref().filter(|_| self.source == Source::TestSplit);
        let classes = self.model.classes();
        let Some(images) = validated.and_then(|it| validation_set(it, classes)) else {
            return Ok(None);
        };
        Ok(Some(scoring::for_metrics(classes, &self.predict(&images, refit)?)?))
    }

    /// Whether maps of where the model looked can be trusted.
    fn explanations(
        &self,
        predictions: &[Prediction],
        pictures: Option<&TrainingPictures>,
    ) -> Result<Explanations> {
        let images = self.settings.params.evaluate.explanations as usize;
        let not_tested = |reason: &str| Explanations::NotTested { reason: reason.into() };
        if images == 0 {
            return Ok(not_tested("evaluate.explanations is 0"));
        }
        let Some(pictures) = pictures else {
            return Ok(not_tested("the images that the model was trained on are not there"));
        };
        let paths = &self.settings.config.paths;
        let input = self.model.input();
        let examination = Examination {
            test: &self.test,
            predictions,
            input,
            temperature: self.temperature(),
            mask: Mask::new(input, pictures.levels.mean_level()),
            bootstrap: self.bootstrap(),
            images,
            lesions: &dataset::read_lesions(&paths.data_ingestion)?,
        };
        let seed = self.settings.params.evaluate.seed;
        let shuffled = |part| with_shuffled(&self.model, &paths.model, part, seed);
        Ok(Explanations::Tested(Box::new(examination.examine(&self.model, shuffled)?)))
    }

    /// Records in the project's ledger that this model was scored on this test split.
    pub(crate) fn note_look(&self, scores: &Scores) -> Option<TestSetLooks> {
        let accuracy = scores.accuracy.filter(|_| self.source == Source::TestSplit)?;
        let look =
            looks::TestSetLook::new(&self.test, self.model.description().digests.weights, accuracy);
        looks::note_here(&look)
    }

    fn baselines(&self) -> Result<Vec<dataset::BaselinePredictions>> {
        if self.source == Source::Folder {
            return Ok(Vec::new());
        }
        let file = self.settings.config.paths.data_validation.join(BASELINES_FILE);
        Ok(dataset::read_baselines(&file, self.model.classes())?)
    }

    /// The effect of the copies, and the trainings that show it.
    fn leak(
        &self,
        predictions: &[Prediction],
        refit: Option<&Refit>,
    ) -> Result<(Leak, Option<Trainings>)> {
        let copied_test_images = self.copied_test_images();
        if copied_test_images == 0 {
            return Ok((Leak::NoCopies, None));
        }
        let Some((validated, refit)) = self.validated.as_ref().zip(refit) else {
            let reason = self.why_no_refit().into();
            return Ok((Leak::NotMeasured { copied_test_images, reason }, None));
        };
        let (temperature, params) = (self.temperature(), self.settings.params.evaluate);
        let refits = Refits { refit, test: &self.test, temperature, params };
        Measurement { validated, classes: self.model.classes(), refits }.take(predictions)
    }

    fn why_no_refit(&self) -> &'static str {
        if self.source == Source::Folder {
            "these images are not the pipeline's"
        } else if self.settings.params.evaluate.control_refits == 0 {
            "evaluate.control_refits is 0"
        } else if !self.model.is_single() {
            worth::NO_REFIT_OF_MANY
        } else {
            worth::NO_REFIT
        }
    }

    /// Writes the whole output folder.
    pub(crate) fn write(&self, predictions: &[Prediction], scores: &Scores) -> Result<()> {
        let paths = &self.settings.config.paths;
        let classes = self.model.classes();
        let rows = scoring::for_metrics(classes, predictions)?;
        let history_file = paths.model.join(HISTORY_FILE);
        let history = artifact::read_bytes(&history_file)?;
        let epochs =
            read_history(&history).with_context(|| format!("read {}", history_file.display()))?;
        let with_maps = scores.explanations.may_be_shown();
        let examples = Examples::of(&self.model, &self.test.images, predictions, with_maps)?;
        let evaluated = Evaluated {
            scores,
            classes,
            predictions: &rows,
            history: &epochs,
            examples: &examples,
            model: ModelInWords::of(self.model.description(), self.calibration.is_some()),
            source: self.source,
            unit: self.test.unit,
        };

        let staged = StagedFolder::in_place_of(&paths.evaluation, &[SCORES_FILE])?;
        let folder = staged.path();
        artifact::write_json(&folder.join(SCORES_FILE), scores)?;
        write_predictions(&folder.join(PREDICTIONS_FILE), classes, predictions)?;
        let file = folder.join(CONFUSION_MATRIX_FILE);
        plots::write_confusion_matrix(&file, classes, &rows)?;
        plots::write_roc(&folder.join(ROC_FILE), classes, &rows)?;
        plots::write_reliability(&folder.join(RELIABILITY_FILE), &rows)?;
        artifact::write_file(&folder.join(HISTORY_FILE), &history)?;
        let page = evaluated.page().render();
        artifact::write_file(&folder.join(REPORT_FILE), page.as_bytes())?;
        Ok(staged.publish()?)
    }
}

fn read_history(csv: &[u8]) -> Result<Vec<EpochRow>, csv::Error> {
    csv::Reader::from_reader(csv).into_deserialize().collect()
}

fn warn_of_other_data(validated: &ValidatedManifest, description: &ModelDescription) {
    let (trained, present) = (description.digests.data, validated.included().digest());
    if trained != present {
        tracing::warn!(
            "the model was trained on other data (manifest {}) than the present (manifest {}): \
             the test split may contain images it was trained on",
            trained.short(),
            present.short()
        );
    }
}
