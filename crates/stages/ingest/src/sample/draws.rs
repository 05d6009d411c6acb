use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The purpose of a stream of random numbers. Each subject has its own stream, so that drawing one
/// more number for a lesion cannot move a rib.
#[derive(Debug, Clone, Copy)]
pub(super) enum Subject {
    Patient = 1,
    Scanner = 2,
    Lesion = 3,
    Noise = 4,
}

/// A stream of random numbers keyed by (seed, image, subject): the same on every platform and for
/// any order of threads.
pub(super) struct Draws(ChaCha8Rng);

impl Draws {
    pub(super) fn new(seed: u64, index: usize, subject: Subject) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        key[8..16].copy_from_slice(&(index as u64).to_le_bytes());
        key[16] = subject as u8;
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `low..high`.
    pub(super) fn uniform(&mut self, low: f32, high: f32) -> f32 {
        // 24 bits are the precision of an f32 in 0..1
        let unit = (self.0.next_u32() >> 8) as f32 / 16_777_216.0;
        low + (high - low) * unit
    }

    /// True with this probability.
    pub(super) fn chance(&mut self, probability: f32) -> bool {
        self.uniform(0.0, 1.0) < probability
    }

    /// Nearly normal with mean 0 and deviation 1: four 16-bit uniforms, summed.
    pub(super) fn normal(&mut self) -> f32 {
        let (a, b) = (self.0.next_u32(), self.0.next_u32());
        let sum = (a & 0xffff) + (a >> 16) + (b & 0xffff) + (b >> 16);
        // the sum has mean 2·65535 and deviation 65536/√3
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seed_image_and_subject_each_give_a_stream_of_their_own() {
        let first = |seed, index, subject| Draws::new(seed, index, subject).uniform(0.0, 1.0);
        let stream = first(1, 2, Subject::Noise);
        assert_eq!(stream, first(1, 2, Subject::Noise));
        for other in
            [first(2, 2, Subject::Noise), first(1, 3, Subject::Noise), first(1, 2, Subject::Lesion)]
        {
            assert_ne!(stream, other);
        }
    }

    #[test]
    fn normal_has_mean_0_and_deviation_1() {
        let mut draws = Draws::new(5, 0, Subject::Noise);
        let values: Vec<f32> = (0..40_000).map(|_| draws.normal()).collect();
        let mean = values.iter().sum::<f32>() / 40_000.0;
        let square = values.iter().map(|value| value * value).sum::<f32>() / 40_000.0;
        assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.03, "{mean} {square}");
    }
}
