//! `H'`, a hash of any length made of BLAKE2b (RFC 9106 §3.3).

use blake2::{
    Blake2b512, Blake2bVarCore, Digest,
    digest::{
        block_api::{UpdateCore, VariableOutputCore},
        block_buffer::LazyBuffer,
    },
};
use zeroize::Zeroize;

/// Fills `out`, whose length the caller has checked.
pub(crate) fn long_hash(inputs: &[&[u8]], out: &mut [u8]) {
    let length = u32::try_from(out.len()).unwrap_or(u32::MAX).to_le_bytes();
    if out.len() <= 64 {
        return short_hash(&[&[&length[..]], inputs].concat(), out);
    }
    let mut hasher = Blake2b512::new_with_prefix(length);
    for input in inputs {
        hasher.update(input);
    }
    let mut link = hasher.finalize();
    // Of every link but the last, half is the output; a link is 64 bytes long at most.
    let halves = out.len().div_ceil(32) - 2;
    let (body, end) = out.split_at_mut(32 * halves);
    for (half, number) in body.as_chunks_mut::<32>().0.iter_mut().zip(1..) {
        half.copy_from_slice(link.split_at(32).0);
        if number < halves {
            link = Blake2b512::digest(link);
        }
    }
    short_hash(&[&link], end);
    link.zeroize();
}

/// BLAKE2b of 1 to 64 bytes.
fn short_hash(inputs: &[&[u8]], out: &mut [u8]) {
    let Ok(mut hasher) = Blake2bVarCore::new(out.len()) else { return };
    let mut buffer = LazyBuffer::default();
    for input in inputs {
        buffer.digest_blocks(input, |blocks| hasher.update_blocks(blocks));
    }
    let mut digest = blake2::digest::Output::<Blake2b512>::default();
    hasher.finalize_variable_core(&mut buffer, &mut digest);
    out.copy_from_slice(digest.split_at(out.len()).0);
    digest.zeroize();
}
