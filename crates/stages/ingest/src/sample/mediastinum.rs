use super::canvas::{Canvas, Texture};
use super::draws::Draws;
use super::patient::{Patient, Side};
use super::shape::{Ellipse, Grown, Point, Shape, Tube};

const FAT: f32 = -95.0;
const WALL: f32 = 40.0;

/// Great vessels, airways and gullet.
pub(super) fn paint_mediastinum(canvas: &mut Canvas, patient: &Patient, draws: &mut Draws) {
    let mut organs = Organs {
        canvas,
        patient,
        texture: Texture::new(draws, 9.0),
        blood: patient.blood_hounsfield,
    };
    organs.paint_great_vessels();
    organs.paint_hila();
    organs.paint_descending();
    organs.paint_airways();
}

struct Organs<'a> {
    canvas: &'a mut Canvas,
    patient: &'a Patient,
    texture: Texture,
    blood: f32,
}

impl Organs<'_> {
    /// An organ with a thin coat of fat.
    fn paint(&mut self, shape: &impl Shape, hounsfield: f32) {
        self.canvas.paint(&Grown(shape, 1.8), FAT + 20.0);
        let texture = &self.texture;
        self.canvas.paint_with(shape, |at| hounsfield + 6.0 * texture.at(at));
    }

    fn circle(&self, x: f32, y: f32, radius_mm: f32) -> Ellipse {
        Ellipse::circle(self.patient.place(x, y), radius_mm * self.patient.great_vessels)
    }

    /// Ascending aorta, superior vena cava and the pulmonary trunk.
    fn paint_great_vessels(&mut self) {
        let blood = self.blood;
        let ascending = self.circle(-0.07, -0.32, 16.5);
        let cava = self.circle(-0.26, -0.2, 9.5);
        let trunk = Tube {
            from: self.patient.place(0.15, -0.4),
            to: self.patient.place(0.3, -0.06),
            radius_from: 13.5 * self.patient.great_vessels,
            radius_to: 9.5,
        };
        let right = Tube::even(
            self.patient.place(0.14, -0.14),
            self.patient.place(-0.3, -0.03),
            7.0 * self.patient.great_vessels,
        );
        self.paint(&right, blood);
        self.paint(&trunk, blood);
        self.paint(&ascending, blood);
        self.paint(&cava, blood * 1.1);
    }

    /// The roots of the lungs: arteries and veins where they leave the mediastinum.
    fn paint_hila(&mut self) {
        for side in Side::BOTH {
            let hilum = self.patient.hilum(side);
            let root = self.patient.place(side.sign() * 0.16, self.patient.at_level(0.02, 0.06));
            let vessel = Tube { from: root, to: hilum, radius_from: 9.0, radius_to: 6.5 };
            self.canvas.paint(&vessel, self.blood);
        }
    }

    /// Descending aorta left of the spine, azygos vein right of it, gullet between.
    fn paint_descending(&mut self) {
        let aorta = self.circle(0.2, 0.5, 12.5);
        let gullet = Ellipse::new(self.patient.place(0.04, 0.36), 8.0, 5.5);
        let azygos = self.circle(-0.09, 0.46, 4.0);
        self.paint(&aorta, self.blood);
        self.paint(&azygos, self.blood * 0.9);
        self.paint(&gullet, WALL);
        self.canvas.paint(&Ellipse::circle(self.patient.place(0.045, 0.355), 1.8), -400.0);
    }

    /// The windpipe's two main bronchi, which part and narrow further down.
    fn paint_airways(&mut self) {
        for side in Side::BOTH {
            let x = self.patient.at_level(0.06, 0.18) * side.sign();
            let y = self.patient.at_level(0.1, 0.15);
            let inner = self.patient.place(x, y);
            let outer: Point = inner + (self.patient.hilum(side) - inner) * 0.3;
            let radius = self.patient.at_level(7.0, 5.5);
            let bronchus =
                Tube { from: inner, to: outer, radius_from: radius, radius_to: radius * 0.8 };
            self.canvas.paint(&Grown(&bronchus, 1.6), WALL);
            self.canvas.paint(&bronchus, -985.0);
        }
    }
}
