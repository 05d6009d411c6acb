//! The outcome of a window.

use jiff::Timestamp;
use metrics::Departure;
use serde::Serialize;
use utoipa::ToSchema;

/// A property of images that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Signal {
    /// The distance of the model's features from those of the calibration.
    FeatureDistance,
    /// The difference of the greys from those of the calibration.
    GreyDistance,
    /// How often each class is predicted.
    ClassShares,
    /// The probability of the predicted class.
    Confidence,
}

impl Signal {
    pub(crate) const ALL: [Self; 4] =
        [Self::FeatureDistance, Self::GreyDistance, Self::ClassShares, Self::Confidence];

    /// The name in `/metrics`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FeatureDistance => "feature_distance",
            Self::GreyDistance => "grey_distance",
            Self::ClassShares => "class_shares",
            Self::Confidence => "confidence",
        }
    }
}

/// One signal of a window.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub(crate) struct SignalOutcome {
    pub(crate) signal: Signal,
    /// How far the window is from the calibration, 0 to 1.
    pub(crate) statistic: f64,
    /// The statistic above which it counts as drift.
    pub(crate) limit: f64,
    /// Whether it is above.
    pub(crate) alarm: bool,
}

impl SignalOutcome {
    pub(crate) fn new(signal: Signal, departure: Departure) -> Self {
        let Departure { statistic, limit } = departure;
        Self { signal, statistic, limit, alarm: departure.is_beyond_limit() }
    }
}

/// A window that was tested.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub(crate) struct WindowOutcome {
    /// The window's first moment.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) from: Timestamp,
    /// The first moment after it.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) until: Timestamp,
    /// Images of the present model in it.
    pub(crate) images: usize,
    /// Those that can be compared.
    pub(crate) signals: Vec<SignalOutcome>,
}

impl WindowOutcome {
    /// The outcome of a signal; `None` if it could not be compared.
    pub(crate) fn of(&self, signal: Signal) -> Option<SignalOutcome> {
        self.signals.iter().copied().find(|it| it.signal == signal)
    }

    /// The signals that have drifted.
    pub(crate) fn alarms(&self) -> Vec<&'static str> {
        self.signals.iter().filter(|it| it.alarm).map(|it| it.signal.name()).collect()
    }
}
