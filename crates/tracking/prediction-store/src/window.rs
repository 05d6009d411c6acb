use artifact::Digest;
use jiff::Timestamp;

use crate::database::on;
use crate::row::row;
use crate::{PredictionStore, Result};

row! {
    /// What is known of one image that one model saw, for comparing many of them.
    #[derive(Debug, Clone, PartialEq)]
    pub struct SeenImage {
        /// The predicted class; `None` if a foreign image was refused.
        pub class: Option<String>,
        /// Its calibrated probability.
        pub confidence: Option<f64>,
        /// The correlation of the image's greys with those of the training images.
        pub grey_correlation: Option<f64>,
        /// The distance of the model's features from those of the training images.
        pub feature_distance: Option<f64>,
    }
}

impl PredictionStore {
    /// The images that the model with these weights saw from `from` until just before `until`, in
    /// any order.
    ///
    /// # Errors
    /// [`StoreError::Database`](crate::StoreError::Database).
    pub async fn seen_images(
        &self,
        model: Digest,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<SeenImage>> {
        let work = async {
            on!(&self.read, pool => {
                sqlx::query_as::<_, SeenImage>(
                    "SELECT class, confidence, grey_correlation, feature_distance
                     FROM predictions
                     WHERE created_at_us >= $1 AND created_at_us < $2 AND model_digest = $3",
                )
                .bind(from.as_microsecond())
                .bind(until.as_microsecond())
                .bind(model.to_string())
                .fetch_all(pool)
                .await
            })
        };
        self.within_patience("list the images of a window", work).await
    }
}
