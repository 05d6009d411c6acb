//! The last images, in memory, in case their predictions are corrected.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use prediction_store::Digest;

/// They may take this many bytes; the oldest are dropped first.
const MOST_BYTES: usize = 128_000_000;

/// Images by digest, oldest first.
#[derive(Debug, Default)]
pub(crate) struct RecentImages {
    images: Mutex<VecDeque<(Digest, Bytes)>>,
}

impl RecentImages {
    /// Keeps an image for a while.
    pub(crate) fn keep(&self, digest: Digest, image: Bytes) {
        let mut images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.retain(|(known, _)| *known != digest);
        images.push_back((digest, image));
        let mut bytes: usize = images.iter().map(|(_, image)| image.len()).sum();
        while bytes > MOST_BYTES
            && let Some((_, oldest)) = images.pop_front()
        {
            bytes -= oldest.len();
        }
    }

    /// An image, if it is still there.
    pub(crate) fn get(&self, digest: Digest) -> Option<Bytes> {
        let images = self.images.lock().unwrap_or_else(PoisonError::into_inner);
        images.iter().find(|(known, _)| *known == digest).map(|(_, image)| image.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_image_goes_when_there_is_no_room() {
        let recent = RecentImages::default();
        let image = |fill: u8| Bytes::from(vec![fill; MOST_BYTES / 2]);
        let digests = [1, 2, 3].map(|fill| Digest::of(&[fill]));
        for (digest, fill) in digests.iter().zip(1..) {
            recent.keep(*digest, image(fill));
        }
        assert!(recent.get(digests[0]).is_none());
        assert_eq!(recent.get(digests[2]).unwrap()[0], 3);
        assert_eq!(recent.get(digests[1]).unwrap()[0], 2);
    }
}
