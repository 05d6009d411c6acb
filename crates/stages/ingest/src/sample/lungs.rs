use super::canvas::{Canvas, Texture};
use super::draws::Draws;
use super::patient::{Patient, Side};
use super::shape::{Contour, Ellipse, Overlap, Point, Shape, Stroke, Tube, point};

/// Both lungs with vessels, airways and fissures.
pub(super) fn paint_lungs(canvas: &mut Canvas, patient: &Patient, draws: &mut Draws) {
    let fine = Texture::new(draws, 4.0);
    let coarse = Texture::new(draws, 22.0);
    for side in Side::BOTH {
        let lung = patient.lung(side);
        canvas.paint_with(&lung, |at| {
            // the lower, dependent lung holds more blood: the patient lies on the back
            let gravity = 45.0 * (at.y / patient.cage_y_mm + 0.2).clamp(-0.8, 1.2);
            patient.lung_hounsfield + gravity + 14.0 * fine.at(at) + 18.0 * coarse.at(at)
        });
        paint_fissure(canvas, patient, side, &lung, draws);
        let mut tree = Tree { canvas, lung: &lung, patient, draws };
        tree.paint_branches(side);
        tree.paint_cross_sections(side);
        paint_dependent_bands(canvas, patient, side, &lung, draws);
    }
}

/// The oblique fissure: a faint line across the lung, bowed backwards.
fn paint_fissure(
    canvas: &mut Canvas,
    patient: &Patient,
    side: Side,
    lung: &Contour,
    draws: &mut Draws,
) {
    let sign = side.sign();
    let start = patient.at_level(0.3, 0.025) + draws.uniform(-0.12, 0.12);
    let bow = draws.uniform(0.02, 0.12);
    let at = |step: u8| {
        let along = f32::from(step) / 8.0;
        let x = 0.32 + 0.72 * along;
        patient.place(sign * x, start - 0.25 * along + bow * 4.0 * along * (1.0 - along))
    };
    let fissure = Stroke::even(&(0..=8).map(at).collect::<Vec<_>>(), 0.35);
    let line = patient.lung_hounsfield + draws.uniform(60.0, 200.0);
    canvas.paint(&Overlap(&fissure, lung), line);
}

/// Thickened pleura and slightly collapsed lung in the dependent part: common, harmless, and
/// equally likely in every class.
fn paint_dependent_bands(
    canvas: &mut Canvas,
    patient: &Patient,
    side: Side,
    lung: &Contour,
    draws: &mut Draws,
) {
    let depth = draws.uniform(-6.0, 9.0);
    if depth <= 0.0 {
        return;
    }
    let level = patient.place(side.sign() * 0.5, 1.0) - point(0.0, depth);
    let band = Ellipse::new(level + point(0.0, 60.0), 90.0, 60.0);
    let hounsfield = draws.uniform(-500.0, -50.0);
    canvas.paint(&Overlap(&band, lung), hounsfield);
}

/// The vessels of one lung.
struct Tree<'a> {
    canvas: &'a mut Canvas,
    lung: &'a Contour,
    patient: &'a Patient,
    draws: &'a mut Draws,
}

/// A vessel about to be painted.
#[derive(Clone, Copy)]
struct Branch {
    from: Point,
    degrees: f32,
    radius_mm: f32,
    length_mm: f32,
}

impl Tree<'_> {
    /// Vessels that run within the slice, from the hilum outwards.
    fn paint_branches(&mut self, side: Side) {
        let hilum = self.patient.hilum(side);
        let trunks = 3;
        for trunk in 0..trunks {
            let spread = -58.0 + 116.0 * trunk as f32 / (trunks - 1) as f32;
            let degrees = spread + self.draws.uniform(-12.0, 12.0);
            let branch = Branch {
                from: hilum,
                degrees: if side == Side::Left { degrees } else { 180.0 - degrees },
                radius_mm: self.draws.uniform(2.2, 3.4),
                length_mm: self.draws.uniform(16.0, 26.0),
            };
            self.paint_branch(branch);
        }
    }

    /// A vessel and what branches off it; it leaves the slice now and then.
    fn paint_branch(&mut self, branch: Branch) {
        if branch.radius_mm < 0.5 || self.lung.distance(branch.from) > 4.0 {
            return;
        }
        let bend = branch.degrees + self.draws.uniform(-16.0, 16.0);
        let middle = branch.from + Point::direction(branch.degrees) * (branch.length_mm * 0.5);
        let to = middle + Point::direction(bend) * (branch.length_mm * 0.5);
        let thin = branch.radius_mm * 0.78;
        if self.draws.chance(if branch.radius_mm > 2.0 { 0.75 } else { 0.4 }) {
            let halfway = (branch.radius_mm + thin) * 0.5;
            for (from, to, radius_from, radius_to) in
                [(branch.from, middle, branch.radius_mm, halfway), (middle, to, halfway, thin)]
            {
                let tube = Tube { from, to, radius_from, radius_to };
                self.paint_vessel(&tube, branch.radius_mm);
            }
        }
        let spread = self.draws.uniform(25.0, 58.0);
        let lean = self.draws.uniform(0.3, 0.7);
        for (share, turn) in [(lean, -spread * (1.0 - lean)), (1.0 - lean, spread * lean)] {
            let shrink = 0.58 + 0.32 * share;
            let fork = Branch {
                from: to,
                degrees: bend + turn,
                radius_mm: branch.radius_mm * shrink * self.draws.uniform(0.85, 1.05),
                length_mm: branch.length_mm * self.draws.uniform(0.68, 0.98),
            };
            self.paint_branch(fork);
        }
    }

    /// Vessels that cross the slice, seen as dots; larger ones near the hilum have an airway
    /// beside them.
    fn paint_cross_sections(&mut self, side: Side) {
        let hilum = self.patient.hilum(side);
        let count = (90.0 * self.patient.vessels) as usize;
        for _ in 0..count {
            let x = side.sign() * self.draws.uniform(0.2, 1.0);
            let at = self.patient.place(x, self.draws.uniform(-0.95, 0.95));
            let away = (at - hilum).length() / self.patient.cage_x_mm;
            let radius = (2.6 - 2.4 * away).max(0.55) * self.draws.uniform(0.45, 1.1);
            let stretch = Point::direction(self.draws.uniform(0.0, 360.0)) * radius;
            let has_airway = radius > 1.6 && self.draws.chance(0.55);
            if self.lung.distance(at) > -4.0 {
                continue;
            }
            if has_airway {
                let airway = at + stretch.unit() * (radius * 2.1);
                let wall = Ellipse::circle(airway, radius * 1.25);
                self.canvas.paint(&wall, -150.0);
                self.canvas.paint(&Ellipse::circle(airway, radius * 0.8), -960.0);
            }
            let reach = self.draws.uniform(0.0, 1.2);
            self.paint_vessel(&Tube::even(at, at + stretch * reach, radius), radius);
        }
    }

    /// Thin vessels fill only a part of the slice's thickness and look fainter.
    fn paint_vessel(&mut self, tube: &Tube, radius_mm: f32) {
        let share = (radius_mm / 2.0).clamp(0.28, 1.0);
        let lung = self.patient.lung_hounsfield;
        let hounsfield = lung + (self.patient.blood_hounsfield - lung) * share;
        let reach = (tube.to - tube.from).length() * 0.5 + tube.radius_from.max(tube.radius_to);
        let middle = (tube.from + tube.to) * 0.5;
        if self.lung.distance(middle) < -reach {
            self.canvas.paint(tube, hounsfield);
        } else {
            self.canvas.paint(&Overlap(tube, self.lung), hounsfield);
        }
    }
}
