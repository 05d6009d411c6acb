use super::draws::Draws;
use super::shape::{Contour, Point, point};

/// The patient's right is on the picture's left, as radiologists read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Right,
    Left,
}

impl Side {
    pub(super) const BOTH: [Self; 2] = [Self::Right, Self::Left];

    /// The sign of `x` on this side.
    pub(super) fn sign(self) -> f32 {
        match self {
            Self::Right => -1.0,
            Self::Left => 1.0,
        }
    }
}

/// The values that vary between patients, and the position of the slice.
#[derive(Debug, Clone)]
pub(super) struct Patient {
    /// Half the rib cage's width.
    pub(super) cage_x_mm: f32,
    /// Half the rib cage's depth.
    pub(super) cage_y_mm: f32,
    /// Fat under the skin, at the side.
    pub(super) fat_mm: f32,
    /// Muscle outside the ribs, at the side.
    pub(super) muscle_mm: f32,
    /// 0: at the carina; 1: after the main bronchi have parted, above the heart.
    pub(super) level: f32,
    /// The size of the great vessels, relative to the mean.
    pub(super) great_vessels: f32,
    /// Blood in the vessels: near 45 without contrast agent, more with it.
    pub(super) blood_hounsfield: f32,
    /// Air-filled lung, before gravity is added.
    pub(super) lung_hounsfield: f32,
    /// The number of lung vessels, relative to the mean.
    pub(super) vessels: f32,
    /// Bends the chest wall: phases of two waves, in degrees.
    pub(super) wall_phases: [f32; 2],
}

impl Patient {
    pub(super) fn draw(draws: &mut Draws) -> Self {
        let cage_x_mm = draws.uniform(127.0, 139.0);
        let has_contrast_agent = draws.chance(0.5);
        Self {
            cage_x_mm,
            cage_y_mm: cage_x_mm * draws.uniform(0.66, 0.71),
            fat_mm: draws.uniform(4.0, 36.0),
            muscle_mm: draws.uniform(9.0, 17.0),
            level: draws.uniform(0.0, 1.0),
            great_vessels: draws.uniform(0.93, 1.06),
            blood_hounsfield: if has_contrast_agent {
                draws.uniform(110.0, 230.0)
            } else {
                draws.uniform(38.0, 50.0)
            },
            lung_hounsfield: draws.uniform(-905.0, -805.0),
            vessels: draws.uniform(0.45, 0.75),
            wall_phases: [draws.uniform(0.0, 360.0), draws.uniform(0.0, 360.0)],
        }
    }

    /// The value for this slice of a quantity that is `high` at the carina and `low` above the
    /// heart.
    pub(super) fn at_level(&self, high: f32, low: f32) -> f32 {
        high + (low - high) * self.level
    }

    /// A point given in half widths and half depths of the rib cage.
    pub(super) fn place(&self, x: f32, y: f32) -> Point {
        point(x * self.cage_x_mm, y * self.cage_y_mm)
    }

    /// The pleura at an angle (0: the patient's left, 90: the back), `outside_mm` further out: a
    /// superellipse, flatter at the front and back than an ellipse.
    pub(super) fn pleura(&self, degrees: f32, outside_mm: f32) -> Point {
        let (sin, cos) = libm::sincosf(degrees.to_radians());
        let bulge = |v: f32| v.signum() * libm::powf(v.abs(), 0.84);
        let at = self.place(bulge(cos), bulge(sin));
        let wave = 1.2 * libm::sinf((2.0 * degrees + self.wall_phases[0]).to_radians())
            + 0.8 * libm::sinf((5.0 * degrees + self.wall_phases[1]).to_radians());
        at + at.unit() * (outside_mm + wave)
    }

    /// The rib cage's inner outline, or one `outside_mm(degrees)` beyond it.
    pub(super) fn outline(&self, outside_mm: impl Fn(f32) -> f32) -> Contour {
        let vertex = |step: u16| {
            let degrees = f32::from(step) * 5.0;
            self.pleura(degrees, outside_mm(degrees))
        };
        Contour::polygon((0..72).map(vertex).collect())
    }

    /// Muscle and ribs outside the pleura: thick beside the spine and over the pectorals.
    pub(super) fn muscle_mm(&self, degrees: f32) -> f32 {
        let bump = |centre: f32, width: f32| {
            let away = (degrees - centre) / width;
            libm::expf(-away * away)
        };
        let pectorals = bump(225.0, 26.0) + bump(315.0, 26.0);
        let shoulders = self.at_level(1.0, 0.5) * (bump(38.0, 24.0) + bump(142.0, 24.0));
        let erectors = bump(75.0, 15.0) + bump(105.0, 15.0);
        9.0 + self.muscle_mm * (0.55 + 0.45 * pectorals + 0.9 * shoulders + 1.1 * erectors)
    }

    /// Fat between muscle and skin: more in front and at the sides than over the spine.
    pub(super) fn fat_mm(&self, degrees: f32) -> f32 {
        let (sin, cos) = libm::sincosf(degrees.to_radians());
        self.fat_mm * (0.75 + 0.25 * cos.abs() - 0.25 * sin) + 2.0
    }

    /// The skin at an angle.
    pub(super) fn skin_mm(&self, degrees: f32) -> f32 {
        self.muscle_mm(degrees) + self.fat_mm(degrees)
    }

    /// The air-filled outline of one lung before the great vessels are painted over it.
    pub(super) fn lung(&self, side: Side) -> Contour {
        let sign = side.sign();
        let front = self.at_level(-82.0, -79.0);
        let back = 71.0;
        let outer = (0..=22).map(|step| {
            let degrees = front + (back - front) * step as f32 / 22.0;
            let at = self.pleura(if sign > 0.0 { degrees } else { 180.0 - degrees }, 0.0);
            at + at.unit() * -1.0
        });
        let inner = [
            (0.29, 0.86),
            (0.20, 0.68),
            (0.185, 0.48),
            (0.16, 0.25),
            (0.16, -0.1),
            (0.14, -0.45),
            (0.07, -0.8),
        ];
        let inner = inner.into_iter().map(|(x, y)| self.place(sign * x, y));
        Contour::smooth(&outer.chain(inner).collect::<Vec<_>>())
    }

    /// Where bronchi and vessels enter a lung.
    pub(super) fn hilum(&self, side: Side) -> Point {
        let x = self.at_level(0.34, 0.35);
        self.place(side.sign() * x, self.at_level(0.0, 0.08))
    }

    /// The middle of the vertebral body.
    pub(super) fn vertebra(&self) -> Point {
        self.place(0.0, 0.66)
    }
}
