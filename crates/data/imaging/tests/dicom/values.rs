//! From stored values to grey.

use dicom_core::{DataElement, PrimitiveValue, VR};
use dicom_dictionary_std::{tags, uids};
use dicom_object::InMemDicomObject;
use imaging::{ColourMode, PictureFormat, Window, looks_like_image};

use crate::file::{File, colours};

/// Hounsfield units as a CT file with an intercept of −1024 stores them.
fn stored(units: &[i16]) -> Vec<i16> {
    units.iter().map(|unit| unit + 1024).collect()
}

#[test]
fn ct_is_seen_through_the_lung_window() {
    // −1350 is the last black, 149 the first white: (x − (c − 0.5)) / (w − 1) + 0.5.
    let units = [-2000, -1350, -1349, -600, 149, 150, 2000];
    let file = File::ct(7, 1, &stored(&units));
    let picture = file.picture();
    assert_eq!(picture.format(), PictureFormat::Dicom);
    assert_eq!(looks_like_image(&file.bytes()), Some(PictureFormat::Dicom));
    assert_eq!(picture.colour_mode(), ColourMode::Grey16);
    assert_eq!(picture.window(), Some(Window::LUNG));
    // 1 / 1499 · 65535 = 43.7; (0.5 − 1 / 2998) · 65535 + 43.7 … by the formula: 750 / 1499.
    assert_eq!(file.grey_levels(), [0, 0, 44, 32_789, 65_535, 65_535, 65_535]);
}

#[test]
fn another_window_may_be_asked_for() {
    let file = File::ct(3, 1, &stored(&[-160, 40, 239]));
    // 200 / 399 · 65535 = 32849.6
    assert_eq!(file.grey_levels_through("40,400"), [0, 32_850, 65_535]);
    // The narrowest window is a step at its centre less a half.
    assert_eq!(file.grey_levels_through("40,1"), [0, 65_535, 65_535]);
    assert_eq!(file.grey_levels_through("41,1"), [0, 0, 65_535]);
}

#[test]
fn a_window_of_the_file_is_not_that_of_the_lung() {
    let file = File::ct(1, 1, &stored(&[-600]))
        .with_text(tags::WINDOW_CENTER, VR::DS, "40")
        .with_text(tags::WINDOW_WIDTH, VR::DS, "400");
    assert_eq!(file.picture().window(), Some(Window::LUNG));
}

#[test]
fn slope_and_intercept_lead_to_hounsfield_units() {
    let file = File::ct(2, 1, &[400, 1200])
        .with_text(tags::RESCALE_SLOPE, VR::DS, " 0.5")
        .with_text(tags::RESCALE_INTERCEPT, VR::DS, "-1.2E3");
    // −1000 and −600: 350 / 1499 and 750 / 1499 of 65535.
    assert_eq!(file.grey_levels(), [15_302, 32_789]);
}

#[test]
fn what_is_not_ct_is_seen_through_the_window_of_the_file() {
    let file = File::grey(4, 1, &[0, 100, 150, 300])
        .with_text(tags::WINDOW_CENTER, VR::DS, "150\\40")
        .with_text(tags::WINDOW_WIDTH, VR::DS, "101\\400");
    assert_eq!(file.picture().window(), Some(Window::new(150.0, 101.0).unwrap()));
    // 0.5 / 100 and 50.5 / 100 of 65535: black is at 99.5.
    assert_eq!(file.grey_levels(), [0, 328, 33_095, 65_535]);
}

#[test]
fn the_curve_that_a_file_names_is_followed() {
    let file = |curve: &str| {
        File::grey(3, 1, &[100, 150, 200])
            .with_text(tags::WINDOW_CENTER, VR::DS, "150")
            .with_text(tags::WINDOW_WIDTH, VR::DS, "100")
            .with_text(tags::VOILUT_FUNCTION, VR::CS, curve)
    };
    assert_eq!(file("LINEAR_EXACT").grey_levels(), [0, 32_768, 65_535]);
    // 1 / (1 + e²) = 0.119203, 1 / (1 + e⁻²) = 0.880797.
    assert_eq!(file("SIGMOID").grey_levels(), [7_812, 32_768, 57_723]);
}

#[test]
fn without_any_window_the_values_span_all_greys() {
    let file = File::grey(3, 1, &[1000, 1010, 1040]);
    assert_eq!(file.grey_levels(), [0, 16_384, 65_535]);
    assert_eq!(file.picture().window(), Some(Window::new(1020.5, 41.0).unwrap()));
    assert_eq!(File::grey(2, 1, &[7, 7]).grey_levels(), [0, 0]);
    // A negative slope reverses them.
    let falling = file.with_text(tags::RESCALE_SLOPE, VR::DS, "-1");
    assert_eq!(falling.grey_levels(), [65_535, 49_151, 0]);
}

#[test]
fn a_screen_shot_that_only_says_ct_is_not_taken_for_hounsfield_units() {
    let file = File::ct(2, 1, &[0, 255])
        .without(tags::RESCALE_SLOPE)
        .without(tags::RESCALE_INTERCEPT)
        .with_text(tags::SOP_CLASS_UID, VR::UI, uids::SECONDARY_CAPTURE_IMAGE_STORAGE);
    assert_eq!(file.grey_levels(), [0, 65_535]);
}

#[test]
fn the_lowest_value_of_monochrome1_is_white() {
    let file = File::grey(3, 1, &[0, 10, 40]).with_text(
        tags::PHOTOMETRIC_INTERPRETATION,
        VR::CS,
        "MONOCHROME1",
    );
    assert_eq!(file.grey_levels(), [65_535, 49_151, 0]);
}

#[test]
fn padding_is_black_and_sets_no_range() {
    let words = [63_536, 10, 20, 60_000];
    let file = File::grey(4, 1, &words).with_word(tags::PIXEL_PADDING_VALUE, 63_536);
    let range = file.clone().with_word(tags::PIXEL_PADDING_RANGE_LIMIT, 60_000);
    assert_eq!(range.grey_levels(), [0, 0, 65_535, 0]);
    let inverted = range.with_text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME1");
    assert_eq!(inverted.grey_levels(), [0, 65_535, 0, 0]);
    // The same bits in a signed file: −2000, below the lung window and not above it once rescaled.
    let signed = File::ct(2, 1, &[-2000, 1024])
        .with_text(tags::RESCALE_INTERCEPT, VR::DS, "3000")
        .with_word(tags::PIXEL_PADDING_VALUE, 63_536);
    assert_eq!(signed.grey_levels(), [0, 65_535]);
}

#[test]
fn bits_that_are_not_stored_do_not_count() {
    // Twelve bits, with an overlay in the four above.
    let unsigned = File::grey(3, 1, &[0xF000, 0x5800, 0x0FFF]).with_bits(16, 12);
    assert_eq!(unsigned.grey_levels(), [0, 32_776, 65_535]);
    let signed = unsigned.clone().with_word(tags::PIXEL_REPRESENTATION, 1);
    // 0, −2048, −1: 2048 / 2048, 0, 2047 / 2048.
    assert_eq!(signed.grey_levels(), [65_535, 0, 65_503]);
    // The same twelve bits, at the top of the word.
    let high =
        File::grey(3, 1, &[0x000A, 0x8005, 0xFFF0]).with_bits(16, 12).with_word(tags::HIGH_BIT, 15);
    assert_eq!(high.grey_levels(), [0, 32_776, 65_535]);
}

#[test]
fn bytes_are_grey_too() {
    let file = File::grey(3, 1, &[]).with_bits(8, 8).with_bytes(&[0, 51, 255, 0]);
    assert_eq!(file.grey_levels(), [0, 13_107, 65_535]);
    assert_eq!(file.picture().colour_mode(), ColourMode::Grey);
}

#[test]
fn colours_stay_colours() {
    let pixels = [255, 0, 0, 1, 2, 3];
    let file = File::colour(2, 1, "RGB", &pixels);
    assert_eq!(colours(&file.picture()), pixels);
    assert_eq!(file.picture().colour_mode(), ColourMode::Rgb);
    assert_eq!(file.picture().window(), None);
    let planes =
        File::colour(2, 1, "RGB", &[255, 1, 0, 2, 0, 3]).with_word(tags::PLANAR_CONFIGURATION, 1);
    assert_eq!(colours(&planes.picture()), pixels);
    let luminance = File::colour(2, 1, "YBR_FULL", &[76, 85, 255, 130, 128, 128]);
    assert_eq!(colours(&luminance.picture()), [254, 0, 0, 130, 130, 130]);
}

#[test]
fn colours_of_sixteen_bits_are_kept() {
    let file = File::grey(1, 1, &[0x0102, 0xFF00, 3])
        .with_text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "RGB")
        .with_word(tags::SAMPLES_PER_PIXEL, 3);
    assert_eq!(colours(&file.picture()), [1, 2, 0xFF, 0, 0, 3]);
    assert_eq!(file.picture().colour_mode(), ColourMode::Rgb16);
}

#[test]
fn of_several_frames_the_first_is_taken_with_its_own_rescaling() {
    let item = |elements: Vec<DataElement<InMemDicomObject>>| {
        InMemDicomObject::from_element_iter(elements)
    };
    let text = |tag, text: &str| DataElement::new(tag, VR::DS, PrimitiveValue::from(text));
    let rescale =
        item(vec![text(tags::RESCALE_SLOPE, "1"), text(tags::RESCALE_INTERCEPT, "-1024")]);
    let groups =
        File::ct(1, 1, &[]).with_sequence(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE, rescale);
    let file = File::ct(2, 1, &stored(&[-1350, -600, 0, 0]))
        .without(tags::RESCALE_SLOPE)
        .without(tags::RESCALE_INTERCEPT)
        .with_text(tags::NUMBER_OF_FRAMES, VR::IS, "2")
        .with_sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, groups.into_object());
    assert_eq!(file.grey_levels(), [0, 32_789]);
}

#[test]
fn attributes_of_other_objects_inside_are_not_the_pictures() {
    let icon = File::grey(1, 1, &[9]).with_text(tags::RESCALE_INTERCEPT, VR::DS, "5000");
    let file = File::ct(1, 1, &stored(&[-600]))
        .with_sequence(tags::ICON_IMAGE_SEQUENCE, icon.into_object())
        .with_sequence(tags::REFERENCED_IMAGE_SEQUENCE, File::grey(8, 8, &[]).into_object());
    assert_eq!(file.grey_levels(), [32_789]);
}
