//! Ranges that the types cannot express.

use regex::Regex;

use super::{
    CalibrateParams, DescentParams, EvaluateParams, Freeze, HeadKind, HeadParams, IngestParams,
    Params, PrepareBaseParams, SelectParams, SolveParams, TrainParams,
};
use crate::flip::Flip;
use crate::refusal::{Refusal, require};

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

impl Params {
    /// A head that is solved and one that learns by epochs have different keys. Keys without effect
    /// are refused, so that nobody tunes them in vain.
    pub(crate) fn check_head_and_training(&self) -> Result<(), Refusal> {
        let PrepareBaseParams { head, freeze, .. } = &self.prepare_base;
        let TrainParams { solve, descent, .. } = &self.train;
        let kind = head.kind.name();
        let is_tuned = *freeze != Freeze::All;
        let wants = |key, is_there: bool, expected: &str| {
            require(is_there, key, "null", &format!("the head is {kind}: {expected}"))
        };
        let refuses = |key, is_there: bool, expected: &str| {
            require(!is_there, key, "set", &format!("the head is {kind}: {expected}"))
        };
        if !head.kind.is_solved() {
            refuses(
                "train.solve",
                solve.is_some(),
                "it learns by epochs; set train.solve to null",
            )?;
            return wants(
                "train.descent",
                descent.is_some(),
                "it learns by epochs, which are set here",
            );
        }
        wants("train.solve", solve.is_some(), "the candidates it chooses from are set here")?;
        if let Some(solve) = solve {
            solve.check_for(head.kind)?;
        }
        if !is_tuned {
            return refuses(
                "train.descent",
                descent.is_some(),
                "it is solved, and a frozen base learns nothing; set train.descent to null",
            );
        }
        require(
            head.kind == HeadKind::Linear,
            "prepare_base.freeze",
            freeze,
            "a kernel head passes no gradient to the base: freeze all, or take the linear head",
        )?;
        wants("train.descent", descent.is_some(), "the layers that are not frozen learn by epochs")
    }
}

impl SolveParams {
    fn check_for(&self, kind: HeadKind) -> Result<(), Refusal> {
        let folds = self.folds;
        require((2..=20).contains(&folds), "train.solve.folds", folds, "2 to 20")?;
        positive_numbers("train.solve.strengths", &self.strengths)?;
        if kind == HeadKind::Kernel {
            positive_numbers("train.solve.widths", &self.widths)?;
        } else {
            let widths = format!("{:?}", self.widths);
            let expected = "empty: a linear head has no width";
            require(self.widths.is_empty(), "train.solve.widths", widths, expected)?;
        }
        require(
            !self.cuts.is_empty(),
            "train.solve.cuts",
            "empty",
            "at least one set of cut points",
        )?;
        for set in &self.cuts {
            let mut sorted = set.clone();
            sorted.sort();
            sorted.dedup();
            let is_a_set = !set.is_empty() && sorted.len() == set.len();
            let expected = "sets of one or more cut points, each named once";
            require(is_a_set, "train.solve.cuts", format!("{set:?}"), expected)?;
        }
        Ok(())
    }
}

fn positive_numbers(key: &str, values: &[f64]) -> Result<(), Refusal> {
    let are_positive = values.iter().all(|value| value.is_finite() && *value > 0.0);
    let expected = "one or more numbers above 0";
    require(!values.is_empty() && are_positive, key, format!("{values:?}"), expected)
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
        require((32..=1024).contains(&size), "prepare_base.image_size", size, "32 to 1024 pixels")?;
        let depth = self.stochastic_depth;
        in_range(
            "prepare_base.stochastic_depth",
            depth,
            (0.0..1.0).contains(&depth),
            "a share from 0 to less than 1",
        )?;
        require(
            depth == 0.0 || self.freeze != Freeze::All,
            "prepare_base.stochastic_depth",
            depth,
            "0: no layer of the base learns, by prepare_base.freeze",
        )?;
        self.head.check()
    }
}

impl HeadParams {
    fn check(&self) -> Result<(), Refusal> {
        let kind = self.kind;
        require(
            kind != HeadKind::MultiScale,
            "prepare_base.head.kind",
            kind.name(),
            "no longer supported for new models; take kernel",
        )?;
        let hidden = self.hidden_units;
        require(
            hidden == 0 || !kind.is_solved(),
            "prepare_base.head.hidden_units",
            hidden,
            "a solved head has no hidden layer: set 0, or take flatten or global_pool",
        )?;
        let dropout = self.dropout;
        in_range(
            "prepare_base.head.dropout",
            dropout,
            (0.0..1.0).contains(&dropout),
            "a share in [0, 1)",
        )?;
        require(
            dropout == 0.0 || hidden > 0,
            "prepare_base.head.dropout",
            dropout,
            "dropout follows the hidden layer: set prepare_base.head.hidden_units too",
        )
    }
}

impl TrainParams {
    fn check(&self) -> Result<(), Refusal> {
        self.descent.as_ref().map_or(Ok(()), DescentParams::check)
    }
}

impl DescentParams {
    fn check(&self) -> Result<(), Refusal> {
        let key = |name| format!("train.descent.{name}");
        require(self.epochs >= 1, &key("epochs"), self.epochs, "at least 1")?;
        require(self.batch_size >= 1, &key("batch_size"), self.batch_size, "at least 1")?;
        let rate = self.learning_rate;
        in_range(&key("learning_rate"), rate, rate > 0.0, "a number above 0")?;
        let momentum = self.momentum;
        in_range(&key("momentum"), momentum, (0.0..1.0).contains(&momentum), "in [0, 1)")?;
        let decay = self.weight_decay;
        in_range(&key("weight_decay"), decay, decay >= 0.0, "0 or above")?;
        let smoothing = self.label_smoothing;
        let is_share = (0.0..1.0).contains(&smoothing);
        in_range(&key("label_smoothing"), smoothing, is_share, "a share in [0, 1)")?;
        let schedule = self.schedule;
        let steps = schedule.step_epochs;
        require(steps >= 1, &key("schedule.step_epochs"), steps, "at least 1")?;
        let gamma = schedule.gamma;
        in_range(&key("schedule.gamma"), gamma, gamma > 0.0 && gamma <= 1.0, "in (0, 1]")?;
        let delta = self.early_stopping.min_delta;
        in_range(&key("early_stopping.min_delta"), delta, delta >= 0.0, "0 or above")?;
        self.check_recipe()?;
        self.check_augmentation()
    }

    /// Checks what fine-tuning adds.
    fn check_recipe(&self) -> Result<(), Refusal> {
        let key = |name| format!("train.descent.{name}");
        let (rising, epochs) = (self.warm_up_epochs, self.epochs);
        let below = format!("fewer than train.descent.epochs, which is {epochs}");
        require(rising < epochs, &key("warm_up_epochs"), rising, &below)?;
        let factor = self.rate_of_block_below;
        let is_factor = factor > 0.0 && factor <= 1.0;
        in_range(&key("rate_of_block_below"), factor, is_factor, "in (0, 1]")?;
        let average = self.average;
        in_range(&key("average"), average, (0.0..1.0).contains(&average), "in [0, 1)")?;
        let folds = self.folds;
        require(folds != 1, &key("folds"), folds, "0 for none, or at least 2")?;
        let patience = self.early_stopping.patience;
        let or_folds = "0 where train.descent.folds says how many epochs there are";
        require(folds == 0 || patience == 0, &key("early_stopping.patience"), patience, or_folds)
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
            let key = format!("train.descent.augmentation.{name}");
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
        require((2..=20).contains(&folds), "calibrate.folds", folds, "2 to 20")?;
        let mut flips = self.flips.clone();
        flips.sort_unstable();
        flips.dedup();
        require(
            flips.len() == self.flips.len() && !flips.contains(&Flip::None),
            "calibrate.flips",
            self.flips.iter().map(Flip::to_string).collect::<Vec<_>>().join(", "),
            "horizontal, vertical, both: each once",
        )
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
