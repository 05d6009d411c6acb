use super::canvas::{Canvas, Texture};
use super::draws::Draws;
use super::patient::{Patient, Side};
use super::shape::{Ellipse, Grown, Point, Shape, Stroke, Tube, Union, point};

const SKIN: f32 = 20.0;
const FAT: f32 = -105.0;
const MUSCLE: f32 = 55.0;
const CORTEX: f32 = 620.0;
const CORD: f32 = 35.0;

/// Skin, fat and muscle, and the table below: everything outside the pleura except bone.
pub(super) fn paint_wall(canvas: &mut Canvas, patient: &Patient, draws: &mut Draws) {
    let skin = patient.outline(|degrees| patient.skin_mm(degrees));
    let strands = Texture::new(draws, 5.0);
    let marbling = Texture::new(draws, 7.0);
    paint_table(canvas, patient, draws);
    canvas.paint(&skin, SKIN);
    canvas.paint_with(&Grown(&skin, -1.8), |at| {
        let strand = strands.at(at);
        FAT + 12.0 * strand + if strand.abs() < 0.035 { 45.0 } else { 0.0 }
    });
    let muscle = patient.outline(|degrees| patient.muscle_mm(degrees));
    canvas.paint_with(&muscle, |at| {
        let fat_share = ((marbling.at(at) - 0.45) * 3.0).clamp(0.0, 0.6);
        MUSCLE + (FAT - MUSCLE) * fat_share
    });
    paint_fat_planes(canvas, patient);
    canvas.paint(&patient.outline(|_| 1.5), MUSCLE);
    canvas.paint(&patient.outline(|_| 0.0), FAT + 10.0);
}

/// The couch: two thin shells below the back.
fn paint_table(canvas: &mut Canvas, patient: &Patient, draws: &mut Draws) {
    let top = patient.pleura(90.0, patient.skin_mm(90.0)).y + draws.uniform(1.0, 5.0);
    let arc = |below: f32| {
        let at = |step: i16| {
            let x = f32::from(step) * 20.0;
            point(x, top + below - x * x / 1400.0)
        };
        Stroke::even(&(-12..=12).map(at).collect::<Vec<_>>(), 0.7)
    };
    canvas.paint(&arc(0.0), -350.0);
    canvas.paint(&arc(22.0), -450.0);
}

/// Fat between the layers of muscle, and between ribs and pleura.
fn paint_fat_planes(canvas: &mut Canvas, patient: &Patient) {
    for (from, to, outside_mm) in
        [(-35.0, 50.0, 11.5), (130.0, 215.0, 11.5), (-62.0, -25.0, 14.0), (205.0, 242.0, 14.0)]
    {
        let at = |step: u8| patient.pleura(from + (to - from) * f32::from(step) / 10.0, outside_mm);
        canvas.paint(&Stroke::tapered(&(0..=10).map(at).collect::<Vec<_>>(), 1.6), FAT + 15.0);
    }
}

/// Ribs, spine, breastbone and shoulder blades.
pub(super) fn paint_bones(canvas: &mut Canvas, patient: &Patient, draws: &mut Draws) {
    let marrow = Texture::new(draws, 2.2);
    paint_spine(canvas, patient, &marrow);
    for side in Side::BOTH {
        paint_ribs(canvas, patient, side, draws, &marrow);
        paint_shoulder_blade(canvas, patient, side, draws, &marrow);
    }
    let breastbone = patient.pleura(270.0, 8.0);
    let half = draws.uniform(11.0, 16.0);
    let sternum = Tube::even(breastbone - point(half, 0.0), breastbone + point(half, 0.0), 5.5);
    paint_bone(canvas, &sternum, 1.5, 130.0, &marrow);
    for side in Side::BOTH {
        let at =
            |step: u8| patient.pleura(270.0 + side.sign() * (9.0 + f32::from(step) * 2.5), 6.5);
        canvas.paint(&Stroke::even(&(0..5).map(at).collect::<Vec<_>>(), 4.0), 110.0);
    }
}

/// Dense cortex, `cortex_mm` thick, around marrow.
fn paint_bone(
    canvas: &mut Canvas,
    bone: &impl Shape,
    cortex_mm: f32,
    marrow_hounsfield: f32,
    marrow: &Texture,
) {
    canvas.paint(bone, CORTEX);
    canvas.paint_with(&Grown(bone, -cortex_mm), |at| marrow_hounsfield + 70.0 * marrow.at(at));
}

/// Ribs run obliquely, so that a slice cuts each into a long oval along the pleura.
fn paint_ribs(
    canvas: &mut Canvas,
    patient: &Patient,
    side: Side,
    draws: &mut Draws,
    marrow: &Texture,
) {
    let mut degrees = draws.uniform(-58.0, -44.0);
    while degrees < 74.0 {
        let length = draws.uniform(10.0, 24.0);
        let slope = draws.uniform(-2.5, 2.5);
        let outside_mm = draws.uniform(5.5, 7.5);
        let at = |step: u8| {
            let along = f32::from(step) / 6.0;
            let angle = degrees + length * along;
            let angle = if side == Side::Left { angle } else { 180.0 - angle };
            patient.pleura(angle, outside_mm + slope * (along - 0.5))
        };
        let rib = Stroke::tapered(&(0..=6).map(at).collect::<Vec<_>>(), draws.uniform(3.6, 4.8));
        paint_bone(canvas, &rib, 1.4, 190.0, marrow);
        degrees += length + draws.uniform(7.0, 20.0);
    }
}

/// A thin blade behind the ribs, within the shoulder's muscle.
fn paint_shoulder_blade(
    canvas: &mut Canvas,
    patient: &Patient,
    side: Side,
    draws: &mut Draws,
    marrow: &Texture,
) {
    let (start, length) = (draws.uniform(22.0, 30.0), draws.uniform(16.0, 28.0));
    let at = |step: u8| {
        let angle = start + length * f32::from(step) / 6.0;
        let outside = 17.0 + 3.0 * f32::from(step) / 6.0;
        patient.pleura(if side == Side::Left { angle } else { 180.0 - angle }, outside)
    };
    let blade = Stroke::tapered(&(0..=6).map(at).collect::<Vec<_>>(), draws.uniform(2.4, 3.4));
    paint_bone(canvas, &blade, 1.2, 160.0, marrow);
}

/// Vertebral body, arch and processes around the canal, with the heads of two ribs.
fn paint_spine(canvas: &mut Canvas, patient: &Patient, marrow: &Texture) {
    let body = patient.vertebra();
    let canal = body + point(0.0, 22.0);
    let erectors = Union(
        Side::BOTH
            .map(|side| {
                Ellipse::new(canal + point(side.sign() * 22.0, 16.0), 19.0, 13.0)
                    .turned(side.sign() * -14.0)
            })
            .into(),
    );
    canvas.paint_with(&erectors, |at| MUSCLE - 60.0 * (marrow.at(at * 0.4) - 0.6).max(0.0));
    let tube = |from: Point, to: Point, radius| Tube::even(from, to, radius);
    let mut arch = vec![tube(canal + point(0.0, 11.0), canal + point(0.0, 31.0), 3.2)];
    for side in Side::BOTH {
        let across = |x: f32, y: f32| canal + point(side.sign() * x, y);
        arch.push(tube(across(10.5, -8.0), across(10.5, 3.0), 3.4));
        arch.push(tube(across(10.5, 3.0), across(0.0, 11.0), 3.2));
        arch.push(tube(across(12.0, 1.0), across(31.0, 8.0), 3.6));
        let head = tube(across(18.0, -13.0), across(36.0, -2.0), 4.2);
        paint_bone(canvas, &head, 1.4, 190.0, marrow);
    }
    paint_bone(canvas, &Union(arch), 1.3, 260.0, marrow);
    paint_bone(canvas, &Ellipse::new(body, 18.0, 14.5), 1.4, 190.0, marrow);
    let opening = Ellipse::new(canal + point(0.0, -0.5), 9.0, 7.5);
    canvas.paint(&opening, FAT + 60.0);
    canvas.paint(&Ellipse::new(canal, 6.2, 5.0), CORD);
}
