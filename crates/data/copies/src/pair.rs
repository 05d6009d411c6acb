use std::cmp::Reverse;
use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::agreement::{Agreement, agreement};
use crate::alignment::{AlignmentLimit, GreyFit, OverlapPixels, align};
use crate::candidates::{Candidate, candidates};
use crate::plane::Plane;
use crate::{Frame, PixelDigest, Signature, Transformation};

/// The side at which pictures are first aligned, in pixels.
const COARSE_SIDE: usize = 44;

/// The first alignment ends within a tenth of such a pixel.
const COARSE: AlignmentLimit = AlignmentLimit { steps: 8, last_step: 2e-3 };

/// The second starts from there, and ends within a fiftieth of a pixel of the thumbnail.
const FINE: AlignmentLimit = AlignmentLimit { steps: 5, last_step: 2e-4 };

/// Pictures agree better at low resolution than in detail. Pairs that do not reach this share of
/// the limit for slices of one scan, or three times the one for copies, are not compared in detail.
///
/// Of 290 pairs of slices in 944 chest scans this lost one; of 166 pairs of copies none was beyond
/// a third of it. It saves the second alignment for four of five pairs.
const COARSE_SHARES: [f32; 2] = [0.75, 3.0];

/// Two pictures that belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Position of the picture that shows more: the larger part of the subject, else more pixels,
    /// else the first one. Pixels do not show which was made from which.
    pub original: usize,
    /// Position of the other one.
    pub copy: usize,
    /// How they belong together.
    pub relation: Relation,
}

/// How two pictures belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// Every pixel is the same. Each such picture is joined to the first that has these pixels.
    SamePixels,
    /// One was made from the other.
    Copy {
        /// How.
        transformation: Transformation,
        /// 0 for the same fine structure, 1 for none in common.
        distance: f32,
    },
    /// So alike that they are likely to be neighbouring slices of one scan.
    SameScan {
        /// 0 for the same fine structure, 1 for none in common.
        distance: f32,
    },
}

/// The largest distances of pictures that belong together.
///
/// The defaults come from 944 public chest scans, whose pairs near the limits were examined one by
/// one, and from 12,100 phantoms and copies of them:
///
/// - `copy`, 0.09: all pairs of scans up to 0.066 are copies (crops, pen strokes, watermarks, other
///   tones), all from 0.115 on are neighbouring slices, and none lie between. Copies of phantoms in
///   the ways of `examples/recall` stay within it, 100 of 100 in each way, and no unrelated
///   phantoms do.
/// - `same_scan`, 0.55: all pairs of scans examined up to 0.6 show one patient. No pair up to 0.85
///   has two classes, as most unrelated pairs would. But phantoms, which all have one anatomy,
///   begin to count as slices: about 30 pairs up to 0.55, 79 up to 0.6 (each compared with ten
///   others; with forty, 72 up to 0.55).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// The largest distance of copies.
    pub copy: f32,
    /// The largest distance of slices of one scan.
    pub same_scan: f32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { copy: 0.09, same_scan: 0.55 }
    }
}

/// Finds all pairs among pictures, sorted by the smaller position, then the larger.
///
/// Pictures with the same pixels are compared with others once, by the first of them.
pub fn find(signatures: &[Signature], limits: Limits) -> Vec<Pair> {
    let mut firsts: HashMap<PixelDigest, usize> = HashMap::new();
    let mut pairs = Vec::new();
    let mut distinct = Vec::new();
    for (copy, signature) in signatures.iter().enumerate() {
        let original = *firsts.entry(signature.digest()).or_insert(copy);
        if original < copy {
            pairs.push(Pair { original, copy, relation: Relation::SamePixels });
        } else if signature.is_comparable() {
            distinct.push(copy);
        }
    }
    let plane = |at: usize| {
        let plane = signatures[distinct[at]].plane();
        plane.expect("only comparable pictures are compared")
    };
    let candidates = candidates(distinct.len(), plane);
    pairs.par_extend(candidates.into_par_iter().filter_map(|candidate| {
        let candidate = Candidate {
            whole: distinct[candidate.whole],
            part: distinct[candidate.part],
            ..candidate
        };
        confirm(signatures, candidate, limits)
    }));
    pairs.sort_by_key(|pair| (pair.original.min(pair.copy), pair.original.max(pair.copy)));
    pairs
}

/// Compares the thumbnails of two pictures that look similar.
fn confirm(signatures: &[Signature], candidate: Candidate, limits: Limits) -> Option<Pair> {
    let Candidate { whole, part, symmetry, frame, .. } = candidate;
    let whole_plane = signatures[whole].plane()?;
    let part_plane = signatures[part].plane()?.turned(symmetry);
    let coarse = [&whole_plane, &part_plane].map(|plane| plane.shrunk(COARSE_SIDE));
    let frame = align(&coarse[0], &coarse[1], frame, COARSE)?;
    if !is_promising(&coarse[0].framed(frame), &coarse[1], frame, limits) {
        return None;
    }

    let side = signatures[whole].detail_side().min(signatures[part].detail_side());
    let (fine_whole, fine_part) = (whole_plane.shrunk(side), part_plane.shrunk(side));
    let frame = align(&fine_whole, &fine_part, frame, FINE)?;
    let inside = OverlapPixels::of(frame, side);
    let shown = fine_whole.framed(frame);
    let Agreement { of_most, of_nearly_all, other_share } = agreement(&shown, &fine_part, &inside)?;
    if 1.0 - of_most <= limits.copy {
        let tone = tone(signatures, [whole, part], &shown, &fine_part, &inside)?;
        return Some(
            Overlap { candidate, frame, tone, other_share }.pair(signatures, 1.0 - of_most),
        );
    }
    let distance = 1.0 - of_nearly_all;
    (distance <= limits.same_scan).then(|| Pair {
        original: whole.min(part),
        copy: whole.max(part),
        relation: Relation::SameScan { distance },
    })
}

/// Whether two roughly aligned pictures may be within the limits. Those with too little structure
/// to decide are kept.
fn is_promising(shown: &Plane, part: &Plane, frame: Frame, limits: Limits) -> bool {
    let [of_scan, of_copy] = COARSE_SHARES;
    let farthest = (of_scan * limits.same_scan).max(of_copy * limits.copy);
    let inside = OverlapPixels::of(frame, part.side());
    agreement(shown, part, &inside).is_none_or(|found| 1.0 - found.of_nearly_all <= farthest)
}

/// Contrast and brightness of the part as the whole's, in shares of the full range. Pixels that one
/// of the thumbnails clips are left out.
fn tone(
    signatures: &[Signature],
    [whole, part]: [usize; 2],
    shown: &Plane,
    part_plane: &Plane,
    inside: &OverlapPixels,
) -> Option<GreyFit> {
    let unclipped = |value: f32| value > 0.004 && value < 0.996;
    let side = shown.side();
    let cells = inside.rows.clone().flat_map(|y| inside.columns.clone().map(move |x| y * side + x));
    let values = cells
        .map(|at| (shown.values()[at], part_plane.values()[at]))
        .filter(|(a, b)| unclipped(*a) && unclipped(*b));
    let [whole, part] = [whole, part].map(|at| signatures[at].range());
    let stored = |[black, white]: [f32; 2], value: f32| black + value * (white - black);
    GreyFit::over(values.map(|(a, b)| (stored(whole, a), stored(part, b))))
}

/// The measurements of a confirmed candidate.
struct Overlap {
    candidate: Candidate,
    frame: Frame,
    tone: GreyFit,
    other_share: f32,
}

impl Overlap {
    /// Decides which is the copy, and how it was made.
    fn pair(self, signatures: &[Signature], distance: f32) -> Pair {
        let Self { candidate: Candidate { whole, part, symmetry, .. }, frame, tone, .. } = self;
        let [shows_more, pixels] = [whole, part].map(|at| {
            let area = if at == whole { 1.0 } else { frame.width() * frame.height() };
            let [width, height] = signatures[at].size();
            ((area * 100.0).round() as u32, u64::from(width) * u64::from(height), Reverse(at))
        });
        let forwards = shows_more >= pixels;
        let (original, copy, frame, symmetry) = if forwards {
            (whole, part, frame, symmetry.inverse())
        } else {
            (part, whole, frame.inverse().turned(symmetry.inverse()), symmetry)
        };
        let (contrast, brightness) = if forwards {
            (tone.contrast, tone.brightness)
        } else {
            (1.0 / tone.contrast, -tone.brightness / tone.contrast)
        };
        let original_size = signatures[original].size();
        let [mut width, mut height] = signatures[copy].size();
        if symmetry.swaps_sides() {
            (width, height) = (height, width);
        }
        let scale = [
            width as f32 / (frame.width() * original_size[0] as f32),
            height as f32 / (frame.height() * original_size[1] as f32),
        ];
        let transformation = Transformation {
            frame,
            symmetry,
            scale,
            contrast,
            brightness,
            altered_share: self.other_share,
            original_size,
        };
        Pair { original, copy, relation: Relation::Copy { transformation, distance } }
    }
}

#[cfg(test)]
mod tests {
    use image::{GrayImage, Luma};

    use super::*;
    use crate::textures::{Texture, picture};
    use crate::{Change, Symmetry};

    fn signature(image: &GrayImage) -> Signature {
        Signature::of(&picture(image.clone()))
    }

    fn image(seed: u64) -> GrayImage {
        Texture::new(seed).image(200, 160, Frame::WHOLE)
    }

    /// The only pair of two pictures, and how the copy was made.
    fn only_pair(first: &GrayImage, second: &GrayImage) -> (Pair, Transformation) {
        let mut pairs = find(&[first, second].map(signature), Limits::default());
        assert_eq!(pairs.len(), 1, "{pairs:?}");
        let pair = pairs.remove(0);
        match &pair.relation {
            Relation::Copy { transformation, .. } => (pair.clone(), *transformation),
            other => panic!("not a copy: {other:?}"),
        }
    }

    #[test]
    fn equal_pixels_are_tied_to_the_first_and_only_that_one_to_others() {
        let turned = image::imageops::rotate180(&image(1));
        let images = [&turned, &image(1), &turned, &image(2), &image(1)];
        let pairs = find(&images.map(signature), Limits::default());
        let positions: Vec<_> = pairs.iter().map(|pair| (pair.original, pair.copy)).collect();
        assert_eq!(positions, [(0, 1), (0, 2), (1, 4)]);
        let same = pairs.iter().map(|pair| pair.relation == Relation::SamePixels);
        assert_eq!(same.collect::<Vec<_>>(), [false, true, true]);
    }

    #[test]
    fn the_larger_part_is_the_original_and_where_the_crop_lies_is_measured() {
        let crop = image::imageops::crop_imm(&image(3), 10, 0, 184, 152).to_image();
        for images in [[&crop, &image(3)], [&image(3), &crop]] {
            let (pair, transformation) = only_pair(images[0], images[1]);
            assert_eq!(images[pair.original].dimensions(), (200, 160));
            let expected = [0.05, 0.0, 0.03, 0.05];
            for (margin, expected) in transformation.frame.margins().into_iter().zip(expected) {
                assert!((margin - expected).abs() < 0.003, "{transformation:?}");
            }
            assert_eq!(transformation.changes(), [Change::Cropped]);
        }
    }

    #[test]
    fn more_pixels_make_the_original() {
        let small = Texture::new(4).image(100, 80, Frame::WHOLE);
        let (pair, transformation) = only_pair(&small, &image(4));
        assert_eq!((pair.original, pair.copy), (1, 0));
        assert!(transformation.scale.iter().all(|scale| (scale - 0.5).abs() < 0.004));
    }

    #[test]
    fn turning_clockwise_is_told_from_turning_anticlockwise() {
        let turned = image::imageops::rotate90(&image(5));
        let (_, forwards) = only_pair(&image(5), &turned);
        assert_eq!(forwards.changes(), [Change::Turned(Symmetry::Rotated90)]);
        let (_, backwards) = only_pair(&turned, &image(5));
        assert_eq!(backwards.changes(), [Change::Turned(Symmetry::Rotated270)]);
    }

    #[test]
    fn contrast_and_brightness_are_measured() {
        let mut toned = image(6);
        toned.pixels_mut().for_each(|Luma([level])| {
            *level = (f32::from(*level) * 0.8 + 30.0).round() as u8;
        });
        let (_, transformation) = only_pair(&image(6), &toned);
        assert!((transformation.contrast - 0.8).abs() < 0.01, "{transformation:?}");
        assert!((transformation.brightness - 30.0 / 255.0).abs() < 0.005, "{transformation:?}");
    }

    #[test]
    fn a_stroke_is_an_alteration() {
        let mut drawn = image(7);
        (60..120)
            .for_each(|at| (0..2).for_each(|width| drawn.put_pixel(at, 40 + width, Luma([0]))));
        let (_, transformation) = only_pair(&image(7), &drawn);
        assert_eq!(transformation.changes(), [Change::Altered]);
    }

    #[test]
    fn strangers_and_negatives_are_no_pairs() {
        let mut negative = image(8);
        negative.pixels_mut().for_each(|Luma([level])| *level = 255 - *level);
        let signatures = [&image(8), &negative, &image(9)].map(signature);
        assert_eq!(find(&signatures, Limits { copy: 0.09, same_scan: 0.9 }), []);
    }

    #[test]
    fn beyond_the_limit_for_copies_lies_the_one_for_slices() {
        // half of the content is another picture
        let (a, b) = (image(10), image(11));
        let blended = GrayImage::from_fn(200, 160, |x, y| {
            let [a, b] = [&a, &b].map(|image| f32::from(image.get_pixel(x, y).0[0]));
            Luma([(0.8 * a + 0.2 * b).round() as u8])
        });
        let signatures = [&a, &blended].map(signature);
        let found = find(&signatures, Limits { copy: 0.0, same_scan: 0.9 });
        assert!(
            matches!(found[..], [Pair { relation: Relation::SameScan { .. }, .. }]),
            "{found:?}"
        );
        assert_eq!(find(&signatures, Limits { copy: 0.0, same_scan: 0.0 }), []);
    }
}
