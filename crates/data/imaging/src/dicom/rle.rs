//! RLE Lossless: DICOM PS3.5 annex G. dicom-rs has it too, but reserves as much memory as the file
//! states.

use super::layout::Layout;
use super::refusal::damaged;
use crate::DecodeError;

/// A count and 15 offsets, little endian.
const HEADER_BYTES: usize = 64;

/// Decodes a frame into planes of samples. Each byte of a sample has a segment of its own, the
/// highest first.
pub(super) fn decode(frame: &[u8], layout: &Layout) -> Result<Vec<u16>, DecodeError> {
    let (header, _) = frame.split_first_chunk::<HEADER_BYTES>().ok_or_else(short)?;
    let (numbers, _) = header.as_chunks::<4>();
    let number = |place: usize| u32::from_le_bytes(numbers[place]) as usize;
    let due = layout.colours.samples() * layout.bytes_per_sample;
    let segments = number(0);
    if segments != due {
        return Err(damaged(format!("{segments} RLE segments where {due} are due")));
    }
    let mut samples = vec![0; layout.samples()];
    for (plane, samples) in samples.chunks_exact_mut(layout.pixels()).enumerate() {
        for byte in 0..layout.bytes_per_sample {
            let segment = plane * layout.bytes_per_sample + byte;
            let start = number(1 + segment);
            let end = if segment + 1 < segments { number(2 + segment) } else { frame.len() };
            let shift = 8 * (layout.bytes_per_sample - 1 - byte);
            unpack(frame.get(start..end).ok_or_else(short)?, samples, shift)?;
        }
    }
    Ok(samples)
}

/// PackBits: a length n below 128 announces n + 1 bytes; one above 128 a byte to be repeated
/// 257 − n times; 128 nothing.
fn unpack(mut packed: &[u8], samples: &mut [u16], shift: usize) -> Result<(), DecodeError> {
    let mut samples = samples.iter_mut();
    while samples.len() > 0 {
        let (length, rest) = packed.split_first().ok_or_else(short)?;
        let length = usize::from(*length);
        packed = rest;
        match length {
            0..128 => {
                let (literal, rest) = packed.split_at_checked(length + 1).ok_or_else(short)?;
                samples
                    .by_ref()
                    .zip(literal)
                    .for_each(|(sample, byte)| *sample |= u16::from(*byte) << shift);
                packed = rest;
            }
            128 => {}
            _ => {
                let (byte, rest) = packed.split_first().ok_or_else(short)?;
                let repeated = samples.by_ref().take(257 - length);
                repeated.for_each(|sample| *sample |= u16::from(*byte) << shift);
                packed = rest;
            }
        }
    }
    Ok(())
}

/// The file itself is complete: the walk through its structure reached the end.
fn short() -> DecodeError {
    damaged("its run lengths end too early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bits_are_literal_repeated_or_nothing() {
        // The example of the TIFF 6.0 specification, section 9.
        let packed = [
            0xFE, 0xAA, 0x02, 0x80, 0x00, 0x2A, 0xFD, 0xAA, 0x03, 0x80, 0x00, 0x2A, 0x22, 0x80,
            0xF7, 0xAA,
        ];
        let mut samples = [0; 24];
        unpack(&packed, &mut samples, 0).unwrap();
        let mut expected = vec![0xAA, 0xAA, 0xAA, 0x80, 0x00, 0x2A, 0xAA, 0xAA, 0xAA, 0xAA];
        expected.extend([0x80, 0x00, 0x2A, 0x22]);
        expected.extend([0xAA; 10]);
        assert_eq!(samples.to_vec(), expected);
    }

    #[test]
    fn what_runs_over_the_plane_is_cut_and_what_ends_early_is_refused() {
        let mut two = [0; 2];
        unpack(&[0x03, 1, 2, 3, 4], &mut two, 8).unwrap();
        assert_eq!(two, [0x0100, 0x0200]);
        assert!(unpack(&[0x03, 1, 2], &mut two, 0).is_err());
        assert!(unpack(&[], &mut two, 0).is_err());
    }
}
