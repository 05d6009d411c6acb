//! Lookup tables and other attributes that change how values are displayed: each is applied, or the
//! file is refused with its name.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use imaging::{SeenThrough, Window};

use crate::file::File;

type Element = DataElement<InMemDicomObject>;

fn words(tag: Tag, vr: VR, words: &[u16]) -> Element {
    DataElement::new(tag, vr, PrimitiveValue::U16(words.iter().copied().collect()))
}

fn text(tag: Tag, vr: VR, text: &str) -> Element {
    DataElement::new(tag, vr, PrimitiveValue::from(text))
}

fn item(elements: Vec<Element>) -> InMemDicomObject {
    InMemDicomObject::from_element_iter(elements)
}

/// A table with this many bits, from `first` on.
fn lut(first: u16, bits: u16, entries: &[u16]) -> InMemDicomObject {
    item(vec![
        words(tags::LUT_DESCRIPTOR, VR::US, &[entries.len() as u16, first, bits]),
        text(tags::MODALITY_LUT_TYPE, VR::LO, "US"),
        words(tags::LUT_DATA, VR::OW, entries),
    ])
}

fn slice() -> File {
    File::grey(4, 1, &[0, 10, 11, 500])
}

fn with_window(file: File, centre: &str, width: &str) -> File {
    file.with_text(tags::WINDOW_CENTER, VR::DS, centre).with_text(tags::WINDOW_WIDTH, VR::DS, width)
}

#[test]
fn values_of_interest_are_those_of_the_table() {
    let file = slice().with_sequence(tags::VOILUT_SEQUENCE, lut(10, 8, &[255, 51, 0]));
    // 0 and 10 are the first entry, 11 the second, 500 the last.
    assert_eq!(file.grey_levels(), [65_535, 65_535, 13_107, 0]);
    assert_eq!(file.picture().window(), None);
    assert_eq!(file.picture().seen_through(), Some(SeenThrough::OwnTable));
    // It has priority over the window of the file, and a requested window over both.
    let both = with_window(file, "250", "501");
    assert_eq!(both.grey_levels(), [65_535, 65_535, 13_107, 0]);
    assert_eq!(both.grey_levels_through("10.5,1"), [0, 0, 65_535, 65_535]);
}

#[test]
fn entries_of_eight_bits_are_bytes_or_words() {
    let bytes = |bytes: &[u8]| {
        let data = PrimitiveValue::U8(bytes.iter().copied().collect());
        item(vec![
            words(tags::LUT_DESCRIPTOR, VR::US, &[4, 10, 8]),
            DataElement::new(tags::LUT_DATA, VR::OW, data),
        ])
    };
    let file = slice().with_sequence(tags::VOILUT_SEQUENCE, bytes(&[0, 51, 102, 255]));
    assert_eq!(file.grey_levels(), [0, 0, 13_107, 65_535]);
    let file = slice().with_sequence(tags::VOILUT_SEQUENCE, bytes(&[0, 0, 51, 0, 102, 0, 255, 0]));
    assert_eq!(file.grey_levels(), [0, 0, 13_107, 65_535]);
}

#[test]
fn the_first_value_of_a_table_may_be_below_zero() {
    let table = item(vec![
        words(tags::LUT_DESCRIPTOR, VR::SS, &[3, -1_i16 as u16, 16]),
        words(tags::LUT_DATA, VR::OW, &[0, 32_768, 65_535]),
    ]);
    let file = File::grey(3, 1, &[0xFFFF, 0, 1])
        .with_word(tags::PIXEL_REPRESENTATION, 1)
        .with_sequence(tags::VOILUT_SEQUENCE, table.clone());
    assert_eq!(file.grey_levels(), [0, 32_768, 65_535]);
    // Without a VR the sign of the samples counts.
    assert_eq!(file.in_syntax(uids::IMPLICIT_VR_LITTLE_ENDIAN).grey_levels(), [0, 32_768, 65_535]);
}

#[test]
fn a_modality_table_goes_before_the_window() {
    let file = slice().with_sequence(tags::MODALITY_LUT_SEQUENCE, lut(10, 16, &[1000, 900, 800]));
    // Without a window from 800 to 1000, and inverted as the table is.
    assert_eq!(file.grey_levels(), [65_535, 65_535, 32_768, 0]);
    assert_eq!(file.picture().window(), Some(Window::new(900.5, 201.0).unwrap()));
    let windowed = with_window(file, "950.5", "101");
    assert_eq!(windowed.grey_levels(), [65_535, 65_535, 0, 0]);
}

#[test]
fn ct_with_a_table_is_in_hounsfield_units_only_where_it_says_so() {
    let ct = |unit| {
        let mut table = lut(0, 16, &[0, 150]);
        table.put(text(tags::MODALITY_LUT_TYPE, VR::LO, unit));
        File::ct(2, 1, &[0, 1])
            .without(tags::RESCALE_SLOPE)
            .without(tags::RESCALE_INTERCEPT)
            .with_sequence(tags::MODALITY_LUT_SEQUENCE, table)
            .picture()
            .seen_through()
    };
    assert_eq!(ct("HU"), Some(SeenThrough::Lung));
    assert_eq!(ct("US"), Some(SeenThrough::WholeRange));
}

#[test]
fn tables_that_contradict_themselves_are_damage() {
    let short = item(vec![
        words(tags::LUT_DESCRIPTOR, VR::US, &[4, 0, 16]),
        words(tags::LUT_DATA, VR::OW, &[1, 2]),
    ]);
    let file = slice().with_sequence(tags::VOILUT_SEQUENCE, short);
    assert_eq!(file.error(), "damaged DICOM: 4 bytes of a lookup table where 8 are due");
    let deep = slice().with_sequence(tags::VOILUT_SEQUENCE, lut(0, 17, &[1]));
    assert!(deep.error().contains("a lookup table of 17 bits"), "{}", deep.error());
    // Hounsfield units use the lung window; an unused table refuses nothing.
    let unused = File::ct(1, 1, &[1024]).with_sequence(tags::VOILUT_SEQUENCE, lut(0, 17, &[1]));
    assert_eq!(unused.picture().seen_through(), Some(SeenThrough::Lung));
}

#[test]
fn windows_below_one_have_a_meaning_where_the_curve_is_exact() {
    let file = |curve: &str, width: &str| {
        with_window(slice().with_text(tags::RESCALE_SLOPE, VR::DS, "0.01"), "0.1", width)
            .with_text(tags::RESCALE_INTERCEPT, VR::DS, "0")
            .with_text(tags::VOILUT_FUNCTION, VR::CS, curve)
    };
    // 0, 0.1, 0.11 and 5 through 0 to 0.2.
    assert_eq!(file("LINEAR_EXACT", "0.2").grey_levels(), [0, 32_768, 36_044, 65_535]);
    // 1 / (1 + e²) = 0.119203, 1 / (1 + e^-0.2) = 0.549834.
    assert_eq!(file("SIGMOID", "0.2").grey_levels(), [7_812, 32_768, 36_033, 65_535]);
    for (curve, width, due) in [
        ("LINEAR", "0.2", "at least 1"),
        ("LINEAR", "0", "at least 1"),
        ("LINEAR_EXACT", "0", "more than 0"),
        ("SIGMOID", "-1", "more than 0"),
    ] {
        let message = file(curve, width).error();
        let reason = format!("WindowWidth (0028,1051) is {width}, and has to be {due}");
        assert!(message.contains(&reason), "{message}");
    }
    let message = file("CUBIC", "9").error();
    assert!(message.contains("VOILUTFunction (0028,1056) CUBIC"), "{message}");
}

#[test]
fn ct_in_other_units_is_not_seen_through_the_lung_window() {
    let file = |unit| File::ct(2, 1, &[0, 1]).with_text(tags::RESCALE_TYPE, VR::LO, unit);
    assert_eq!(file("HU").picture().seen_through(), Some(SeenThrough::Lung));
    for unit in ["US", "HU_MOD", "Z_EFF", "MGML"] {
        assert_eq!(file(unit).picture().seen_through(), Some(SeenThrough::WholeRange), "{unit}");
    }
    let windowed = with_window(file("US"), "-1023.5", "2");
    assert_eq!(windowed.picture().seen_through(), Some(SeenThrough::OwnWindow));
}

#[test]
fn ct_without_slope_or_intercept_is_refused_by_name() {
    for (tag, name) in [
        (tags::RESCALE_SLOPE, "RescaleSlope (0028,1053)"),
        (tags::RESCALE_INTERCEPT, "RescaleIntercept (0028,1052)"),
    ] {
        let file = File::ct(1, 1, &[0]).without(tag);
        let message = file.error();
        assert!(message.starts_with("DICOM whose picture is not clear: CT without"), "{message}");
        assert!(message.contains(name), "{message}");
        assert_eq!(file.grey_levels_through("40,400").len(), 1);
    }
}

#[test]
fn a_presentation_that_contradicts_the_photometric_interpretation_is_refused() {
    let file = |photometric, shape| {
        slice().with_text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric).with_text(
            tags::PRESENTATION_LUT_SHAPE,
            VR::CS,
            shape,
        )
    };
    assert_eq!(file("MONOCHROME2", "IDENTITY").grey_levels()[0], 0);
    assert_eq!(file("MONOCHROME1", "INVERSE").grey_levels()[0], 65_535);
    for (photometric, shape) in [("MONOCHROME2", "INVERSE"), ("MONOCHROME1", "IDENTITY")] {
        let message = file(photometric, shape).error();
        assert!(message.contains(photometric) && message.contains(shape), "{message}");
    }
}

#[test]
fn a_value_that_is_not_used_refuses_nothing() {
    for number in ["40,5", "NaN", "much", ""] {
        let file = with_window(File::ct(1, 1, &[1024]), number, number)
            .with_text(tags::VOILUT_FUNCTION, VR::CS, "CUBIC")
            .with_text(tags::NUMBER_OF_FRAMES, VR::IS, "one");
        assert_eq!(file.picture().seen_through(), Some(SeenThrough::Lung), "{number}");
    }
    let used = with_window(slice(), "40,5", "400").error();
    assert_eq!(used, "damaged DICOM: WindowCenter (0028,1050) is \"40,5\", which is no number");
}

/// Functional groups with the given elements, in the shared ones.
fn enhanced(elements: Vec<Element>) -> File {
    File::ct(2, 1, &[0, 1024])
        .without(tags::RESCALE_SLOPE)
        .without(tags::RESCALE_INTERCEPT)
        .with_sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, item(elements))
}

fn sequence(tag: Tag, inside: InMemDicomObject) -> Element {
    let items = dicom_core::value::DataSetSequence::from(vec![inside]);
    DataElement::new(tag, VR::SQ, dicom_core::value::Value::from(items))
}

fn rescale(slope: &str, intercept: &str) -> InMemDicomObject {
    item(vec![
        text(tags::RESCALE_INTERCEPT, VR::DS, intercept),
        text(tags::RESCALE_SLOPE, VR::DS, slope),
        text(tags::RESCALE_TYPE, VR::LO, "HU"),
    ])
}

#[test]
fn functional_groups_count_only_in_their_own_sequence_and_depth() {
    let decoy = || rescale("9", "9000");
    let own = || sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, rescale("1", "-1024"));
    let expected = enhanced(vec![own()]).grey_levels();
    // −1024 and 0 Hounsfield units.
    assert_eq!(expected, [14_252, 59_021]);
    let private = Tag(0x0021, 0x1001);
    let deeper = item(vec![sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, decoy())]);
    for elements in [
        vec![sequence(private, decoy()), own()],
        vec![sequence(private, deeper.clone()), own()],
        vec![sequence(tags::FRAME_VOILUT_SEQUENCE, decoy()), own()],
        vec![sequence(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE, decoy()), own()],
        vec![text(tags::RESCALE_INTERCEPT, VR::DS, "9000"), own()],
    ] {
        assert_eq!(enhanced(elements).grey_levels(), expected);
    }
    // A decoy alone has no effect.
    assert!(enhanced(vec![sequence(private, decoy())]).error().contains("RescaleSlope"));
    assert!(enhanced(vec![sequence(private, deeper)]).error().contains("RescaleSlope"));
}

#[test]
fn the_window_of_a_frame_is_that_of_its_own_sequence() {
    let window = |centre: &str| {
        item(vec![text(tags::WINDOW_CENTER, VR::DS, centre), text(tags::WINDOW_WIDTH, VR::DS, "1")])
    };
    let file = slice().with_sequence(
        tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE,
        item(vec![
            sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, window("300")),
            sequence(tags::FRAME_VOILUT_SEQUENCE, window("10.6")),
        ]),
    );
    assert_eq!(file.grey_levels(), [0, 0, 65_535, 65_535]);
}
