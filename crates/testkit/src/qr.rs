//! A phone's camera, for pictures that show a QR code.

use std::io::Cursor;

use data_encoding::BASE64;

/// What the QR code in a `data:` URL of a PNG says.
#[must_use]
pub fn read_qr(data_url: &str) -> String {
    let file = data_url.strip_prefix("data:image/png;base64,").expect("a data URL of a PNG");
    let file = BASE64.decode(file.as_bytes()).expect("the picture is in base64");
    let mut decoder = png::Decoder::new(Cursor::new(file));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().expect("the picture is a PNG");
    let mut pixels = vec![0; reader.output_buffer_size().expect("a small picture")];
    let info = reader.next_frame(&mut pixels).expect("the picture is whole");
    let (width, height) = (info.width as usize, info.height as usize);
    let shade = |x: usize, y: usize| pixels.get(y * info.line_size + x).copied().unwrap_or(255);
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, shade);
    let codes = picture.detect_grids();
    let code = codes.first().expect("the picture shows a QR code");
    code.decode().expect("the QR code can be read").1
}
