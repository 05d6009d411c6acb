//! Encodes pictures for a browser.

/// A PNG of 8-bit samples, row by row.
///
/// # Errors
/// When the number of samples does not match the picture.
pub(crate) fn encode_png(
    width: u32,
    height: u32,
    colours: png::ColorType,
    samples: &[u8],
) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(colours);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(samples)?;
    writer.finish()?;
    Ok(bytes)
}
