//! A stranger's file made into a picture of ours.
//!
//! What is stored is never what came: the file is recognised by its first bytes, its size is
//! read before anything is decoded, and its pixels are drawn anew. Whatever else it carried
//! (places, cameras, comments, a second file behind the first) stays behind; attacks H18 to H21.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::error::LimitErrorKind;
use image::imageops::FilterType;
use image::metadata::Orientation;
use image::{
    DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, Limits,
    RgbaImage,
};

use super::webp;

/// Largest file that is looked at, in bytes (the contract's 5 MB).
pub const LARGEST_FILE: usize = 5 * 1_024 * 1_024;
/// Longest side of a picture that is decoded, in pixels (ASVS 5.2.6).
pub const LONGEST_SIDE: u32 = 4_096;
/// Longest side of a picture that is kept.
const LONGEST_SIDE_KEPT: u32 = 512;
/// Largest picture that is kept, in bytes.
const LARGEST_KEPT: usize = 256 * 1_024;
/// What is tried until a picture fits: at the last side even noise does.
const SIDES: [u32; 5] = [LONGEST_SIDE_KEPT, 384, 256, 192, 128];
/// Decoded pixels take at most 128 MiB (four channels of 16 bits), plus what decoders need.
const MOST_MEMORY: u64 = 160 * 1_024 * 1_024;
const JPEG_QUALITY: u8 = 85;

/// How a stored picture is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureFormat {
    /// Without transparency.
    Jpeg,
    /// With transparency.
    Png,
}

impl PictureFormat {
    /// The stored word; stable over releases.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
        }
    }

    pub(super) fn of_word(word: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png].into_iter().find(|format| format.word() == word)
    }
}

/// A picture as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Picture {
    /// How the bytes are encoded.
    pub format: PictureFormat,
    /// The encoded picture.
    pub bytes: Vec<u8>,
}

/// Why a file does not become a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PictureProblem {
    /// Nothing is in it.
    Empty,
    /// More than [`LARGEST_FILE`] bytes.
    TooLarge,
    /// Not JPEG, PNG, GIF or WebP, or broken.
    NotAPicture,
    /// Longer than [`LONGEST_SIDE`] either way.
    TooManyPixels,
}

/// Reads a file and draws its first picture anew, upright and small.
pub(super) fn redraw(file: &[u8]) -> Result<Picture, PictureProblem> {
    let format = recognise(file)?;
    let (picture, orientation) = decode(file, format).map_err(|error| match error {
        ImageError::Limits(limit) if matches!(limit.kind(), LimitErrorKind::DimensionError) => {
            PictureProblem::TooManyPixels
        }
        _ => PictureProblem::NotAPicture,
    })?;
    let mut small = shrunk(&picture, LONGEST_SIDE_KEPT);
    // Decoded pixels may take a hundred times as much as the small ones.
    drop(picture);
    small.apply_orientation(orientation);
    encode(&small)
}

/// By the first bytes alone: names and types are what a stranger says (ASVS 5.2.2).
fn recognise(file: &[u8]) -> Result<ImageFormat, PictureProblem> {
    match file.len() {
        0 => return Err(PictureProblem::Empty),
        length if length > LARGEST_FILE => return Err(PictureProblem::TooLarge),
        _ => {}
    }
    match image::guess_format(file) {
        Ok(ImageFormat::WebP) if !webp::is_sound(file, LONGEST_SIDE) => {
            Err(PictureProblem::NotAPicture)
        }
        Ok(
            known @ (ImageFormat::Jpeg | ImageFormat::Png | ImageFormat::Gif | ImageFormat::WebP),
        ) => Ok(known),
        _ => Err(PictureProblem::NotAPicture),
    }
}

fn decode(file: &[u8], format: ImageFormat) -> ImageResult<(DynamicImage, Orientation)> {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST_SIDE);
    limits.max_image_height = Some(LONGEST_SIDE);
    limits.max_alloc = Some(MOST_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(file), format);
    reader.limits(limits);
    // Reads the header and compares its size with the limits; nothing is decoded yet.
    let mut decoder = reader.into_decoder()?;
    // A picture whose metadata is broken is still a picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    DynamicImage::from_decoder(decoder).map(|picture| (picture, orientation))
}

/// Small enough for a side, never enlarged.
fn shrunk(picture: &DynamicImage, side: u32) -> DynamicImage {
    if picture.width() <= side && picture.height() <= side {
        return picture.clone();
    }
    picture.resize(side, side, FilterType::Triangle)
}

fn encode(picture: &DynamicImage) -> Result<Picture, PictureProblem> {
    for side in SIDES {
        let small = shrunk(picture, side).into_rgba8();
        let encoded = if small.pixels().all(|pixel| pixel.0[3] == u8::MAX) {
            jpeg(small)
        } else {
            png(small)
        };
        match encoded {
            Ok(picture) if picture.bytes.len() <= LARGEST_KEPT => return Ok(picture),
            Ok(_) => {}
            Err(_) => break,
        }
    }
    Err(PictureProblem::NotAPicture)
}

fn jpeg(picture: RgbaImage) -> ImageResult<Picture> {
    let mut bytes = Vec::new();
    let opaque = DynamicImage::from(picture).into_rgb8();
    JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY).encode_image(&opaque)?;
    Ok(Picture { format: PictureFormat::Jpeg, bytes })
}

fn png(mut picture: RgbaImage) -> ImageResult<Picture> {
    // Colours under full transparency are seen by nobody and may say what was to be hidden.
    for pixel in picture.pixels_mut().filter(|pixel| pixel.0[3] == 0) {
        pixel.0 = [0; 4];
    }
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(Picture { format: PictureFormat::Png, bytes: bytes.into_inner() })
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Picture({}, {} bytes)", self.format.word(), self.bytes.len())
    }
}

#[cfg(test)]
mod tests;
