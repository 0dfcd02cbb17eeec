//! The compression function in plain words, as RFC 9106 §3.5 and §3.6 have it.

use std::array::from_fn;

use crate::block::{Block, place};
use crate::segment::{Segment, Step};
use crate::window::Location;

pub(super) fn fill(segment: Segment<'_>) {
    segment.fill_with(compress);
}

fn compress(Step { previous, reference, target, adds, next }: Step<'_>) -> Location {
    let mut mixed = *previous;
    mixed.xor(reference);
    let mut sum = mixed;
    if adds {
        sum.xor(target);
    }
    for row in 0..8 {
        permute_words(&mut mixed, |word| row * 16 + word);
    }
    for column in 0..8 {
        permute_words(&mut mixed, |word| word / 2 * 16 + column * 2 + word % 2);
    }
    sum.xor(&mixed);
    *target = sum;
    next.fetch(target.0[0], |_| {})
}

/// Permutes the 16 words that `chosen` names, a row or a column.
#[expect(clippy::indexing_slicing, reason = "every word of a row or column is in the block")]
fn permute_words(Block(words): &mut Block, chosen: impl Fn(usize) -> usize) {
    let permuted = permute(from_fn(|word| words[place(chosen(word))]));
    for (word, value) in permuted.into_iter().enumerate() {
        words[place(chosen(word))] = value;
    }
}

/// The permutation `P`: a round of BLAKE2b with multiplications.
#[expect(clippy::many_single_char_names, reason = "a matrix of 4 x 4 words, row by row")]
fn permute(words: [u64; 16]) -> [u64; 16] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = words;

    let [a, e, i, m] = mix([a, e, i, m]);
    let [b, f, j, n] = mix([b, f, j, n]);
    let [c, g, k, o] = mix([c, g, k, o]);
    let [d, h, l, p] = mix([d, h, l, p]);

    let [a, f, k, p] = mix([a, f, k, p]);
    let [b, g, l, m] = mix([b, g, l, m]);
    let [c, h, i, n] = mix([c, h, i, n]);
    let [d, e, j, o] = mix([d, e, j, o]);

    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// `GB` of RFC 9106 §3.6.
fn mix([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    let a = add(a, b);
    let d = (d ^ a).rotate_right(32);
    let c = add(c, d);
    let b = (b ^ c).rotate_right(24);
    let a = add(a, b);
    let d = (d ^ a).rotate_right(16);
    let c = add(c, d);
    let b = (b ^ c).rotate_right(63);
    [a, b, c, d]
}

/// Adds two words and twice the product of their lower halves.
fn add(x: u64, y: u64) -> u64 {
    let product = (x & 0xffff_ffff).wrapping_mul(y & 0xffff_ffff);
    x.wrapping_add(y).wrapping_add(product << 1)
}
