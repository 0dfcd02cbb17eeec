//! What a WebP file says of itself, read before its decoder is trusted with it.
//!
//! The decoder compares the size of the file's canvas with that of the frames in it only after
//! it has made room for the frame, and makes room for metadata of whatever length a chunk
//! claims. So a file of a hundred bytes could ask for gigabytes.

/// Whether every chunk lies within the file and no frame is larger than `most` either way
/// (RFC 9649 §2.3 and §2.7.1).
pub(super) fn is_sound(file: &[u8], most: u32) -> bool {
    // `RIFF`, a length, `WEBP`.
    file.get(12..).is_some_and(|chunks| are_sound(chunks, most, Depth::File))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    File,
    Frame,
}

fn are_sound(mut chunks: &[u8], most: u32, depth: Depth) -> bool {
    while let Some((head, rest)) = chunks.split_first_chunk::<8>() {
        let [a, b, c, d, length @ ..] = *head;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        let Some((content, rest)) = rest.split_at_checked(length) else { return false };
        let is_fit = match &[a, b, c, d] {
            b"VP8 " => lossy_size(content).is_some_and(|size| fits(size, most)),
            b"VP8L" => lossless_size(content).is_some_and(|size| fits(size, most)),
            // Position, size, duration and flags stand before a frame's own chunks.
            b"ANMF" if depth == Depth::File => {
                content.get(16..).is_some_and(|inner| are_sound(inner, most, Depth::Frame))
            }
            _ => true,
        };
        if !is_fit {
            return false;
        }
        // Chunks begin at even places.
        chunks = rest.get(length % 2..).unwrap_or_default();
    }
    true
}

fn fits((width, height): (u32, u32), most: u32) -> bool {
    (1..=most).contains(&width) && (1..=most).contains(&height)
}

/// The size in a VP8 key frame's header (RFC 6386 §9.1); the upper two bits only scale.
fn lossy_size(frame: &[u8]) -> Option<(u32, u32)> {
    let [.., 0x9d, 0x01, 0x2a, w0, w1, h0, h1] = *frame.first_chunk::<10>()? else { return None };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some((side(w0, w1), side(h0, h1)))
}

/// The size in a lossless header (RFC 9649 §3.4): twice 14 bits, one less than the side.
fn lossless_size(frame: &[u8]) -> Option<(u32, u32)> {
    let [0x2f, bits @ ..] = *frame.first_chunk::<5>()? else { return None };
    let bits = u32::from_le_bytes(bits);
    Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
        let mut file = b"RIFF\0\0\0\0WEBP".to_vec();
        for (name, content) in chunks {
            file.extend_from_slice(*name);
            file.extend_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
            file.extend_from_slice(content);
            file.extend(vec![0; content.len() % 2]);
        }
        file
    }

    fn lossy(width: u16, height: u16) -> Vec<u8> {
        let ([w0, w1], [h0, h1]) = (width.to_le_bytes(), height.to_le_bytes());
        vec![0, 0, 0, 0x9d, 0x01, 0x2a, w0, w1, h0, h1]
    }

    #[test]
    fn frames_count_wherever_they_stand() {
        assert!(is_sound(&file(&[(b"VP8X", &[0; 10]), (b"VP8 ", &lossy(100, 100))]), 100));
        assert!(!is_sound(&file(&[(b"VP8X", &[0; 10]), (b"VP8 ", &lossy(101, 100))]), 100));
        assert!(!is_sound(&file(&[(b"VP8X", &[0; 10]), (b"VP8 ", &lossy(0, 100))]), 100));
        let animated = |width| {
            let mut frame = vec![0; 16];
            frame.extend_from_slice(&file(&[(b"VP8 ", &lossy(width, 5))])[12..]);
            file(&[(b"ANIM", &[0; 6]), (b"ANMF", &frame)])
        };
        assert!(is_sound(&animated(5), 100));
        assert!(!is_sound(&animated(16_383), 100));
    }

    #[test]
    fn a_chunk_that_claims_more_than_there_is_makes_the_file_unsound() {
        let mut claims = file(&[(b"VP8 ", &lossy(5, 5))]);
        claims.extend_from_slice(b"EXIF\xff\xff\xff\xff");
        assert!(!is_sound(&claims, 100));
        assert!(!is_sound(b"RIFF", 100));
    }
}
