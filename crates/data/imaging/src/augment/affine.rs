use super::AffineDraw;

/// The origin of a pixel of the view: `(x, y) → linear · (x, y) + offset`, in pixels of the image,
/// x along the width and y along the height, (0, 0) the middle of the first pixel.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    pub(super) linear: [[f64; 2]; 2],
    pub(super) offset: [f64; 2],
}

impl Affine {
    /// The map that Keras 3 builds in `apply_affine_transform`: rotation · shift · shear · zoom,
    /// in (x, y), about the middle of the image, which lies at `size / 2 − 0.5`.
    pub(super) fn of(draw: &AffineDraw, size: usize) -> Self {
        let (sin, cos) = draw.theta.to_radians().sin_cos();
        let rotation = Self { linear: [[cos, -sin], [sin, cos]], offset: [0.0, 0.0] };
        let shift = Self::shift([draw.tx, draw.ty]);
        let (sin, cos) = draw.shear.to_radians().sin_cos();
        let shear = Self { linear: [[1.0, -sin], [0.0, cos]], offset: [0.0, 0.0] };
        let zoom = Self { linear: [[draw.zx, 0.0], [0.0, draw.zy]], offset: [0.0, 0.0] };

        let middle = size as f64 / 2.0 - 0.5;
        let about_middle = rotation.after(&shift).after(&shear).after(&zoom);
        Self::shift([middle, middle]).after(&about_middle).after(&Self::shift([-middle, -middle]))
    }

    fn shift(offset: [f64; 2]) -> Self {
        Self { linear: [[1.0, 0.0], [0.0, 1.0]], offset }
    }

    /// First `inner`, then `self`: the matrix product `self · inner`.
    fn after(&self, inner: &Self) -> Self {
        let [[a, b], [c, d]] = self.linear;
        let [[e, f], [g, h]] = inner.linear;
        Self {
            linear: [[a * e + b * g, a * f + b * h], [c * e + d * g, c * f + d * h]],
            offset: self.apply(inner.offset),
        }
    }

    pub(super) fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let [[a, b], [c, d]] = self.linear;
        [a * x + b * y + self.offset[0], c * x + d * y + self.offset[1]]
    }
}
