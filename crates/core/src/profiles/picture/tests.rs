//! Strangers' files: what becomes of them, and that none of them breaks anything.

use image::{Rgba, RgbaImage};

use super::*;

fn drawn(width: u32, height: u32) -> DynamicImage {
    RgbaImage::from_fn(width, height, |x, y| {
        let low = |number: u32| number.to_le_bytes()[0];
        Rgba([low(x * 7), low(y * 5), low(x + y), 255])
    })
    .into()
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let picture = match format {
        ImageFormat::Jpeg => DynamicImage::from(picture.to_rgb8()),
        _ => picture.clone(),
    };
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

const FORMATS: [ImageFormat; 4] =
    [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Gif, ImageFormat::WebP];

fn reread(picture: &Picture) -> DynamicImage {
    let format = match picture.format {
        PictureFormat::Jpeg => ImageFormat::Jpeg,
        PictureFormat::Png => ImageFormat::Png,
    };
    image::load_from_memory_with_format(&picture.bytes, format).unwrap()
}

fn has(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}

#[test]
fn each_format_becomes_a_small_picture_of_the_same_shape() {
    for format in FORMATS {
        let picture = redraw(&encoded(&drawn(800, 400), format)).unwrap();
        assert_eq!(picture.format, PictureFormat::Jpeg, "{format:?}");
        let again = reread(&picture);
        assert_eq!((again.width(), again.height()), (512, 256), "{format:?}");
        let small = reread(&redraw(&encoded(&drawn(3, 2), format)).unwrap());
        assert_eq!((small.width(), small.height()), (3, 2), "never enlarged");
    }
    let line = reread(&redraw(&encoded(&drawn(4_096, 1), ImageFormat::Png)).unwrap());
    assert_eq!((line.width(), line.height()), (512, 1));
}

#[test]
fn transparency_stays_and_hides_no_colours() {
    let mut picture = drawn(40, 40).into_rgba8();
    picture.put_pixel(0, 0, Rgba([1, 2, 3, 0]));
    picture.put_pixel(1, 0, Rgba([1, 2, 3, 100]));
    let picture = redraw(&encoded(&picture.into(), ImageFormat::Png)).unwrap();
    assert_eq!(picture.format, PictureFormat::Png);
    let again = reread(&picture).into_rgba8();
    assert_eq!(again.get_pixel(0, 0).0, [0; 4]);
    assert_eq!(again.get_pixel(1, 0).0, [1, 2, 3, 100]);
}

#[test]
fn even_noise_fits() {
    let mut noise = Noise(7);
    for is_opaque in [true, false] {
        let picture = RgbaImage::from_fn(600, 600, |_, _| {
            let [r, g, b, a] = noise.next().to_le_bytes();
            Rgba([r, g, b, if is_opaque { 255 } else { a }])
        });
        let picture = redraw(&encoded(&picture.into(), ImageFormat::Png)).unwrap();
        assert!(picture.bytes.len() <= LARGEST_KEPT, "{picture:?}");
    }
}

#[test]
fn what_is_no_picture_is_refused_whatever_it_is_called() {
    for file in [
        &b"<!doctype html><script>alert(1)</script>"[..],
        b"<svg xmlns=\"http://www.w3.org/2000/svg\" onload=\"alert(1)\"/>",
        b"<?xml version=\"1.0\"?><svg/>",
        b"%PDF-1.7",
        b"GIF89a/*<svg onload=alert(1)>*/=1;",
        b"\xff\xd8\xff<script>alert(1)</script>",
        b"\x89PNG\r\n\x1a\n<script>",
        b"RIFF\xff\xff\xff\xffWEBPVP8 ",
        b"BM\0\0\0\0",
        b"II*\0",
        b"\0",
    ] {
        // Of a GIF's first line, a size can be read where words were meant.
        let refused = matches!(
            redraw(file),
            Err(PictureProblem::NotAPicture | PictureProblem::TooManyPixels)
        );
        assert!(refused, "{}", file.escape_ascii());
    }
    assert_eq!(redraw(b""), Err(PictureProblem::Empty));
    assert_eq!(redraw(&vec![0; LARGEST_FILE + 1]), Err(PictureProblem::TooLarge));
}

#[test]
fn a_second_file_behind_or_inside_the_picture_stays_behind() {
    let script = b"<script>alert(document.domain)</script>";
    for format in FORMATS {
        let mut file = encoded(&drawn(20, 20), format);
        file.extend_from_slice(script);
        // WebP ends where it says; the others are read to their end mark.
        if let Ok(picture) = redraw(&file) {
            assert!(!has(&picture.bytes, b"<script"), "{format:?}");
        }
    }
    // A comment inside a GIF that makes it a page as well (attack H18).
    let mut gif = encoded(&drawn(20, 20), ImageFormat::Gif);
    let end = gif.len() - 1;
    let comment: Vec<u8> =
        [&[0x21, 0xfe, u8::try_from(script.len()).unwrap()], &script[..], &[0]].concat();
    gif.splice(end..end, comment);
    assert!(has(&gif, script));
    assert!(!has(&redraw(&gif).unwrap().bytes, b"script"));
}

#[test]
fn places_and_cameras_stay_behind_and_the_picture_stands_upright() {
    // One entry, orientation 6 ("turn right"), and a place behind it (attack H21).
    let mut exif =
        b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec();
    exif.extend_from_slice(b"GPS 52.5163N 13.3777E");
    let mut file = encoded(&drawn(60, 20), ImageFormat::Jpeg);
    let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
    file.splice(2..2, [&[0xff, 0xe1], &length[..], &exif].concat());
    let picture = redraw(&file).unwrap();
    let again = reread(&picture);
    assert_eq!((again.width(), again.height()), (20, 60));
    assert!(!has(&picture.bytes, b"GPS") && !has(&picture.bytes, b"Exif"));
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let chunk = |name: &[u8; 4], content: &[u8]| {
        let named = [&name[..], content].concat();
        let sum = crc32(&named).to_be_bytes();
        let length = u32::try_from(content.len()).unwrap().to_be_bytes();
        [&length[..], &named, &sum].concat()
    };
    let sides = [0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 8, 6, 0, 0, 0];
    let png = [
        b"\x89PNG\r\n\x1a\n",
        &chunk(b"IHDR", &sides)[..],
        &chunk(b"IDAT", &[0]),
        &chunk(b"IEND", b""),
    ];
    let jpeg = b"\xff\xd8\xff\xc0\0\x11\x08\xff\xff\xff\xff\x03\x01\x11\0\x02\x11\0\x03\x11\0\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\x3f\0\0";
    let gif = b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\0;";
    for (name, file) in [("PNG", png.concat()), ("JPEG", jpeg.to_vec()), ("GIF", gif.to_vec())] {
        assert_eq!(redraw(&file), Err(PictureProblem::TooManyPixels), "{name}");
    }
    // A small canvas that claims a large picture inside.
    let gif = b"GIF89a\x0a\0\x0a\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;";
    assert_eq!(redraw(gif), Err(PictureProblem::NotAPicture));
    let webp = b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f";
    assert_eq!(redraw(webp), Err(PictureProblem::NotAPicture));
}

#[test]
fn one_pixel_more_than_allowed_is_refused_and_the_most_is_drawn() {
    let most = DynamicImage::new_luma8(LONGEST_SIDE, LONGEST_SIDE);
    redraw(&encoded(&most, ImageFormat::Png)).unwrap();
    let wide = DynamicImage::new_luma8(LONGEST_SIDE + 1, 1);
    assert_eq!(redraw(&encoded(&wide, ImageFormat::Png)), Err(PictureProblem::TooManyPixels));
}

#[test]
fn files_that_end_early_or_were_tampered_with_break_nothing() {
    let mut noise = Noise(20_261_121);
    for format in FORMATS {
        let file = encoded(&drawn(24, 17), format);
        for end in 0..file.len() {
            let cut = redraw(&file[..end]);
            assert!(end > 12 || cut.is_err(), "{format:?} {end}");
        }
        for _ in 0..1_500 {
            let mut spoiled = file.clone();
            for _ in 0..=noise.next() % 6 {
                let at = noise.next() as usize % spoiled.len();
                spoiled[at] = match noise.next() % 4 {
                    0 => 0,
                    1 => 0xff,
                    _ => (noise.next() & 0xff) as u8,
                };
            }
            if let Ok(picture) = redraw(&spoiled) {
                assert!(picture.bytes.len() <= LARGEST_KEPT);
            }
        }
    }
}

/// The same numbers in every run (xorshift).
struct Noise(u32);

impl Noise {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| (sum >> 1) ^ (0xedb8_8320 * (sum & 1)))
    };
    !bytes.iter().fold(u32::MAX, step)
}
