//! QR codes as pictures, drawn here: a secret in one must not travel to anybody else's service.

use data_encoding::BASE64;
use ironlatch_core::error::InternalError;
use qrcode::{Color, EcLevel, QrCode};

/// Pixels of one module's side: sharp on screens of any density.
const SCALE: usize = 6;
/// White around it, in modules (ISO/IEC 18004 §5.3.8).
const QUIET: usize = 4;

/// The code of a text as a `data:` URL of a PNG, to be the `src` of an image.
pub(crate) fn data_url(text: &str) -> Result<String, InternalError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).map_err(|error| {
        InternalError::fault(format_args!("this does not fit into a QR code: {error}"))
    })?;
    Ok(format!("data:image/png;base64,{}", BASE64.encode(&picture(&code)?)))
}

/// Black and white, one bit a pixel.
fn picture(code: &QrCode) -> Result<Vec<u8>, InternalError> {
    let modules = code.width();
    let side = (modules + 2 * QUIET) * SCALE;
    let is_dark = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < modules);
        let place = inside(x / SCALE).zip(inside(y / SCALE));
        place.is_some_and(|at| code[at] == Color::Dark)
    };
    let mut pixels = Vec::with_capacity(side.div_ceil(8) * side);
    for y in 0..side {
        for first in (0..side).step_by(8) {
            let bits = (first..first + 8).map(|x| u8::from(!is_dark(x, y)));
            pixels.push(bits.fold(0, |byte, bit| byte << 1 | bit));
        }
    }
    let side = u32::try_from(side).map_err(InternalError::fault)?;
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().map_err(InternalError::fault)?;
    writer.write_image_data(&pixels).map_err(InternalError::fault)?;
    writer.finish().map_err(InternalError::fault)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_shows_every_module_inside_a_white_margin() {
        let text = format!("otpauth://totp/Ironlatch:{}?secret=A", "a".repeat(120));
        let url = data_url(&text).unwrap();
        let file = url.strip_prefix("data:image/png;base64,").unwrap();
        let file = BASE64.decode(file.as_bytes()).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let code = QrCode::with_error_correction_level(&text, EcLevel::M).unwrap();
        let side = usize::try_from(info.width).unwrap();
        assert_eq!(side, (code.width() + 2 * QUIET) * SCALE);
        let is_white =
            |x: usize, y: usize| pixels[y * side.div_ceil(8) + x / 8] >> (7 - x % 8) & 1 == 1;
        for y in 0..side {
            for x in 0..side {
                let (column, row) =
                    ((x / SCALE).wrapping_sub(QUIET), (y / SCALE).wrapping_sub(QUIET));
                let is_inside = column < code.width() && row < code.width();
                let expected = !is_inside || code[(column, row)] == Color::Light;
                assert_eq!(is_white(x, y), expected, "{x} {y}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_refused() {
        assert!(data_url(&"a".repeat(3_000)).is_err());
    }
}
