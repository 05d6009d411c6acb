//! Ranges that the types cannot express.

use regex::Regex;

use super::{
    CalibrateParams, EvaluateParams, HeadParams, IngestParams, Params, PrepareBaseParams,
    SelectParams, TrainParams,
};
use crate::load::{Refusal, require};

impl Params {
    pub(crate) fn check(&self) -> Result<(), Refusal> {
        self.ingest.check()?;
        self.prepare_base.check()?;
        self.train.check()?;
        self.select.check()?;
        self.calibrate.check()?;
        self.evaluate.check()
    }
}

fn in_range(key: &str, value: f64, holds: bool, expected: &str) -> Result<(), Refusal> {
    require(value.is_finite() && holds, key, value, expected)
}

impl IngestParams {
    fn check(&self) -> Result<(), Refusal> {
        let split = self.split;
        for (name, share) in [("train", split.train), ("valid", split.valid), ("test", split.test)]
        {
            let key = format!("ingest.split.{name}");
            in_range(&key, share, (0.0..=1.0).contains(&share), "a share between 0 and 1")?;
        }
        in_range(
            "ingest.split.train",
            split.train,
            split.train > 0.0,
            "there must be something to train on",
        )?;
        let sum = split.train + split.valid + split.test;
        require(
            (sum - 1.0).abs() < 1e-6,
            "ingest.split",
            format!("{sum} in all"),
            "train, valid and test must add up to 1",
        )?;
        let images = self.sample.images;
        require(images >= 12, "ingest.sample.images", images, "at least 12, one a class and split")
    }
}

impl PrepareBaseParams {
    fn check(&self) -> Result<(), Refusal> {
        let size = self.image_size;
        require(
            (32..=1024).contains(&size),
            "prepare_base.image_size",
            size,
            "32 to 1024 pixels: five poolings halve it five times",
        )?;
        self.head.check()
    }
}

impl HeadParams {
    fn check(&self) -> Result<(), Refusal> {
        let dropout = self.dropout;
        in_range(
            "prepare_base.head.dropout",
            dropout,
            (0.0..1.0).contains(&dropout),
            "a share in [0, 1)",
        )?;
        require(
            dropout == 0.0 || self.hidden_units > 0,
            "prepare_base.head.dropout",
            dropout,
            "dropout follows the hidden layer: set prepare_base.head.hidden_units too",
        )
    }
}

impl TrainParams {
    fn check(&self) -> Result<(), Refusal> {
        require(self.epochs >= 1, "train.epochs", self.epochs, "at least 1")?;
        require(self.batch_size >= 1, "train.batch_size", self.batch_size, "at least 1")?;
        let rate = self.learning_rate;
        in_range("train.learning_rate", rate, rate > 0.0, "a number above 0")?;
        let momentum = self.momentum;
        in_range("train.momentum", momentum, (0.0..1.0).contains(&momentum), "in [0, 1)")?;
        let decay = self.weight_decay;
        in_range("train.weight_decay", decay, decay >= 0.0, "0 or above")?;
        let smoothing = self.label_smoothing;
        in_range(
            "train.label_smoothing",
            smoothing,
            (0.0..1.0).contains(&smoothing),
            "a share in [0, 1)",
        )?;
        let schedule = self.schedule;
        require(
            schedule.step_epochs >= 1,
            "train.schedule.step_epochs",
            schedule.step_epochs,
            "at least 1",
        )?;
        in_range(
            "train.schedule.gamma",
            schedule.gamma,
            schedule.gamma > 0.0 && schedule.gamma <= 1.0,
            "in (0, 1]",
        )?;
        let delta = self.early_stopping.min_delta;
        in_range("train.early_stopping.min_delta", delta, delta >= 0.0, "0 or above")?;
        self.check_augmentation()
    }

    fn check_augmentation(&self) -> Result<(), Refusal> {
        let augmentation = self.augmentation;
        let rotation = augmentation.rotation_degrees;
        let shear = augmentation.shear_degrees;
        for (name, value, most, expected) in [
            ("rotation_degrees", rotation, 180.0, "0 to 180 degrees"),
            ("shear_degrees", shear, 89.0, "0 to 89 degrees"),
            ("width_shift", augmentation.width_shift, 1.0, "a share between 0 and 1"),
            ("height_shift", augmentation.height_shift, 1.0, "a share between 0 and 1"),
            ("zoom", augmentation.zoom, 0.99, "a share in [0, 1)"),
            ("fill_value", augmentation.fill_value, 1.0, "a grey value between 0 and 1"),
        ] {
            let key = format!("train.augmentation.{name}");
            in_range(&key, value, (0.0..=most).contains(&value), expected)?;
        }
        Ok(())
    }
}

impl SelectParams {
    fn check(&self) -> Result<(), Refusal> {
        let key = "select.checkpoint_pattern";
        let pattern = format!("{:?}", self.checkpoint_pattern);
        match Regex::new(&self.checkpoint_pattern) {
            Err(error) => {
                let last = error.to_string().lines().last().unwrap_or_default().to_owned();
                require(false, key, pattern, &format!("not a regular expression: {last}"))
            }
            Ok(regex) => require(
                regex.captures_len() == 2,
                key,
                pattern,
                "it needs exactly one capture group, the validation accuracy, as in \
                 model_e\\d+_acc[\\d.]+_vacc(\\d\\.\\d+)\\.safetensors",
            ),
        }
    }
}

impl CalibrateParams {
    fn check(&self) -> Result<(), Refusal> {
        let folds = self.folds;
        require((2..=20).contains(&folds), "calibrate.folds", folds, "2 to 20")
    }
}

impl EvaluateParams {
    fn check(&self) -> Result<(), Refusal> {
        let resamples = self.bootstrap_resamples;
        require(
            (100..=100_000).contains(&resamples),
            "evaluate.bootstrap_resamples",
            resamples,
            "100 to 100000: fewer make no interval",
        )?;
        let refits = self.control_refits;
        require(refits <= 20, "evaluate.control_refits", refits, "0 to 20")?;
        let images = self.explanations;
        require(images <= 10_000, "evaluate.explanations", images, "0 to 10000 images")
    }
}
