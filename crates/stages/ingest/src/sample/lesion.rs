use super::canvas::{Canvas, Texture};
use super::class::SampleClass;
use super::draws::Draws;
use super::patient::{Patient, Side};
use super::shape::{Contour, Overlap, Point, Shape, Tube};

/// Paints the lesion of the class; nothing if the class is normal.
///
/// It is soft tissue within the lung. Everything about it comes from its own stream of random
/// numbers, so that the rest of the slice is the same with and without it.
pub(super) fn paint_lesion(
    canvas: &mut Canvas,
    patient: &Patient,
    class: SampleClass,
    draws: &mut Draws,
) {
    let side = if draws.chance(0.5) { Side::Right } else { Side::Left };
    let mut growth = Growth { canvas, patient, side, lung: patient.lung(side), draws };
    match class {
        SampleClass::Normal => {}
        SampleClass::Adenocarcinoma => growth.paint_peripheral_nodule(),
        SampleClass::LargeCellCarcinoma => growth.paint_large_mass(),
        SampleClass::SquamousCellCarcinoma => growth.paint_hilar_mass(),
    }
}

struct Growth<'a> {
    canvas: &'a mut Canvas,
    patient: &'a Patient,
    side: Side,
    lung: Contour,
    draws: &'a mut Draws,
}

impl Growth<'_> {
    /// Adenocarcinoma: a spiculated nodule under the pleura, in the outer third of the lung.
    fn paint_peripheral_nodule(&mut self) {
        let radius = self.draws.uniform(15.0, 20.0);
        let depth = radius + self.draws.uniform(1.0, 11.0);
        let degrees = self.draws.uniform(-34.0, 38.0);
        let centre = self.under_pleura(degrees, depth);
        let rim = self.under_pleura(degrees, 0.0);
        self.paint_spicules(centre, radius);
        let tail = Tube { from: centre, to: rim, radius_from: radius * 0.3, radius_to: 0.8 };
        self.fill(&tail, 1.0, 20.0);
        self.paint_mass(centre, radius, 0.12, 1.2);
    }

    /// Large cell carcinoma: a big lobulated mass, mostly away from the hilum.
    fn paint_large_mass(&mut self) {
        let radius = self.draws.uniform(30.0, 38.0);
        let degrees = self.draws.uniform(-45.0, 55.0);
        let depth = radius + self.draws.uniform(-4.0, 6.0);
        let centre = self.under_pleura(degrees, depth);
        self.paint_mass(centre, radius, 0.10, 1.0);
        let core = Contour::around(centre, |_| radius * 0.5);
        let necrosis = self.draws.uniform(10.0, 35.0);
        self.fill(&core, radius * 0.5, necrosis);
    }

    /// Squamous cell carcinoma: a mass at the hilum that grows out from the bronchus.
    fn paint_hilar_mass(&mut self) {
        let radius = self.draws.uniform(22.0, 28.0);
        let out = Point::direction(self.draws.uniform(-50.0, 50.0)) * (radius * 0.7);
        let hilum = self.patient.hilum(self.side);
        let centre = hilum + Point { x: out.x * self.side.sign(), y: out.y };
        self.paint_spicules(centre, radius * 0.95);
        self.paint_mass(centre, radius, 0.11, 1.4);
    }

    /// The point `depth_mm` inside the pleura, at an angle counted from the side.
    fn under_pleura(&self, degrees: f32, depth_mm: f32) -> Point {
        let degrees = if self.side == Side::Left { degrees } else { 180.0 - degrees };
        self.patient.pleura(degrees, -depth_mm)
    }

    /// Soft tissue with an uneven outline: long waves, and lobes with notches between them.
    fn paint_mass(&mut self, centre: Point, radius: f32, roughness: f32, blur_mm: f32) {
        let mut ripple = |count: f32| Ripple {
            count,
            height: roughness * self.draws.uniform(0.5, 1.0),
            phase_degrees: self.draws.uniform(0.0, 360.0),
        };
        let (waves, lobes) = ([ripple(2.0), ripple(3.0)], [ripple(5.0), ripple(8.0)]);
        let outline = Contour::around(centre, |degrees| {
            let wave: f32 = waves.iter().map(|wave| 0.8 * wave.at(degrees)).sum();
            let lobe: f32 =
                lobes.iter().map(|lobe| lobe.at(degrees * 0.5).abs() - 0.5 * lobe.height).sum();
            radius * (1.0 + wave + lobe)
        });
        let hounsfield = self.draws.uniform(25.0, 60.0);
        self.fill(&outline, blur_mm, hounsfield);
    }

    /// Fine strands that radiate from the border into the lung.
    fn paint_spicules(&mut self, centre: Point, radius: f32) {
        for _ in 0..12 {
            let degrees = self.draws.uniform(0.0, 360.0);
            let length = radius * self.draws.uniform(1.0, 1.7);
            let strand = Tube {
                from: centre,
                to: centre + Point::direction(degrees) * length,
                radius_from: radius * 0.18,
                radius_to: 0.4,
            };
            self.fill(&strand, 1.0, -20.0);
        }
    }

    fn fill(&mut self, shape: &impl Shape, blur_mm: f32, hounsfield: f32) {
        let grain = Texture::new(self.draws, 5.0);
        self.canvas.paint_lesion(&Overlap(shape, &self.lung), blur_mm, |at| {
            hounsfield + 7.0 * grain.at(at)
        });
    }
}

/// One wave around an outline.
struct Ripple {
    count: f32,
    /// Relative to the radius.
    height: f32,
    phase_degrees: f32,
}

impl Ripple {
    fn at(&self, degrees: f32) -> f32 {
        self.height * libm::sinf((self.count * degrees + self.phase_degrees).to_radians())
    }
}
