//! Memory that a convolution passes over.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Values in their own memory, in large pages if the system provides them. Kernels, points and maps
/// of a few images are some hundred megabytes, and address translation for pages of 4 KiB took up
/// to a tenth of the time.
#[derive(Debug, Default)]
pub struct Buffer {
    memory: Option<MmapMut>,
    length: usize,
}

impl Buffer {
    /// This many zeros.
    ///
    /// # Panics
    /// When there is no memory for them.
    pub fn zeros(length: usize) -> Self {
        if length == 0 {
            return Self::default();
        }
        let memory = MmapMut::map_anon(length * size_of::<f32>()).expect("there is memory left");
        #[cfg(target_os = "linux")]
        // Only a request: a system without large pages refuses it, and everything still works.
        let _ = memory.advise(memmap2::Advice::HugePage);
        Self { memory: Some(memory), length }
    }

    /// The first `length` values, with undefined content; the buffer grows if it is smaller.
    ///
    /// # Panics
    /// When there is no memory for them.
    pub fn first(&mut self, length: usize) -> &mut [f32] {
        if self.length < length {
            // The old memory is released first.
            *self = Self::default();
            *self = Self::zeros(length);
        }
        &mut self[..length]
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        self.memory.as_deref().map_or(&[], bytemuck::cast_slice)
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        self.memory.as_deref_mut().map_or(&mut [], bytemuck::cast_slice_mut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_once_and_kept() {
        let mut buffer = Buffer::default();
        assert!(buffer.is_empty());
        assert_eq!(buffer.first(0), [0.0; 0]);
        buffer.first(3).copy_from_slice(&[1.0, 2.0, 3.0]);
        assert_eq!(buffer.first(2), [1.0, 2.0]);
        assert_eq!(buffer.len(), 3);
        assert_eq!(buffer.first(5), [0.0; 5]);
    }
}
