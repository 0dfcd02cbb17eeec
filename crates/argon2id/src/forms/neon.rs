//! The compression function in vectors of 128 bits.
//!
//! Two vectors are a quarter of a row, and two of different rows a quarter of a column, so both
//! are permuted by the same function.
#![expect(unsafe_code, reason = "vectors are read from blocks and written to them")]

use std::arch::aarch64::{
    uint64x2_t, vaddq_u64, vdupq_n_u64, veorq_u64, vextq_u64, vgetq_lane_u64, vld1q_u64, vmovn_u64,
    vmull_u32, vreinterpretq_u32_u64, vreinterpretq_u64_u32, vrev64q_u32, vshlq_n_u64, vsriq_n_u64,
    vst1q_u64,
};

use crate::block::Block;
use crate::segment::{Segment, Step};
use crate::window::Location;

/// A quarter of a row, or of a column.
type Quarter = [uint64x2_t; 2];

/// A block as it lies in memory: of every two rows the four quarters of both.
type Rows = [[[Quarter; 2]; 4]; 4];

#[target_feature(enable = "neon")]
pub(super) fn fill(segment: Segment<'_>) {
    segment.fill_with(|step| compress(step));
}

#[target_feature(enable = "neon")]
#[inline]
fn compress(step: Step<'_>) -> Location {
    let Step { previous, reference, target, adds, next } = step;
    let mut rows = [[[[vdupq_n_u64(0); 2]; 2]; 4]; 4];
    for (vector, words) in flat_mut(&mut rows).iter_mut().enumerate() {
        *words = veorq_u64(load(previous, vector), load(reference, vector));
    }
    for two in &mut rows {
        permute_row(two, 0);
        permute_row(two, 1);
    }

    permute_column(&mut rows, 0, 0);
    // The first column is enough to know what comes next.
    let first_word = first_word(&rows) ^ previous.0[0] ^ reference.0[0];
    let first_word = if adds { first_word ^ target.0[0] } else { first_word };
    let location = next.fetch(first_word, |_| {});
    permute_column(&mut rows, 0, 1);
    for quarter in 1..4 {
        permute_column(&mut rows, quarter, 0);
        permute_column(&mut rows, quarter, 1);
    }

    for (vector, mixed) in flat_mut(&mut rows).iter().enumerate() {
        let mut words = veorq_u64(load(previous, vector), load(reference, vector));
        words = veorq_u64(words, *mixed);
        if adds {
            words = veorq_u64(words, load(target, vector));
        }
        store(target, vector, words);
    }
    location
}

fn flat_mut(rows: &mut Rows) -> &mut [uint64x2_t] {
    rows.as_flattened_mut().as_flattened_mut().as_flattened_mut()
}

/// Permutes one of two rows.
#[target_feature(enable = "neon")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "two rows have two quarters of each kind")]
fn permute_row(two: &mut [[Quarter; 2]; 4], row: usize) {
    let quarters = permute([two[0][row], two[1][row], two[2][row], two[3][row]]);
    for (rows, quarter) in two.iter_mut().zip(quarters) {
        rows[row] = quarter;
    }
}

/// Permutes one of the two columns that stand in a quarter of the rows.
#[target_feature(enable = "neon")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "rows have four quarters, of two pairs")]
fn permute_column(rows: &mut Rows, quarter: usize, pair: usize) {
    let pairs = |two: usize| [rows[two][quarter][0][pair], rows[two][quarter][1][pair]];
    let columns = permute([pairs(0), pairs(1), pairs(2), pairs(3)]);
    for (two, [upper, lower]) in rows.iter_mut().zip(columns) {
        two[quarter][0][pair] = upper;
        two[quarter][1][pair] = lower;
    }
}

/// The permutation `P`. Diagonals become columns by turning all quarters but the second, which
/// is known last.
#[target_feature(enable = "neon")]
#[inline]
fn permute(quarters: [Quarter; 4]) -> [Quarter; 4] {
    let [a, b, c, [d, d2]] = mix(quarters);
    let [a, b, c, [d2, d]] = mix([by_3(a), b, by_1(c), [d2, d]]);
    [by_1(a), b, by_3(c), [d, d2]]
}

#[target_feature(enable = "neon")]
#[inline]
fn by_1([one, other]: Quarter) -> Quarter {
    [vextq_u64::<1>(one, other), vextq_u64::<1>(other, one)]
}

#[target_feature(enable = "neon")]
#[inline]
fn by_3([one, other]: Quarter) -> Quarter {
    [vextq_u64::<1>(other, one), vextq_u64::<1>(one, other)]
}

/// `GB` of RFC 9106 §3.6, four times.
#[target_feature(enable = "neon")]
#[inline]
fn mix([a, b, c, d]: [Quarter; 4]) -> [Quarter; 4] {
    let a = add(a, b);
    let d = swap_halves(xor(d, a));
    let c = add(c, d);
    let b = rotate::<24, 40>(xor(b, c));
    let a = add(a, b);
    let d = rotate::<16, 48>(xor(d, a));
    let c = add(c, d);
    let b = rotate::<63, 1>(xor(b, c));
    [a, b, c, d]
}

/// Adds words and twice the product of their lower halves.
#[target_feature(enable = "neon")]
#[inline]
fn add(mut sums: Quarter, others: Quarter) -> Quarter {
    for (sum, other) in sums.iter_mut().zip(others) {
        let product = vmull_u32(vmovn_u64(*sum), vmovn_u64(other));
        *sum = vaddq_u64(vaddq_u64(*sum, other), vaddq_u64(product, product));
    }
    sums
}

#[target_feature(enable = "neon")]
#[inline]
fn xor([one, other]: Quarter, [third, fourth]: Quarter) -> Quarter {
    [veorq_u64(one, third), veorq_u64(other, fourth)]
}

/// Rotates words by half their width.
#[target_feature(enable = "neon")]
#[inline]
fn swap_halves(mut quarter: Quarter) -> Quarter {
    for words in &mut quarter {
        *words = vreinterpretq_u64_u32(vrev64q_u32(vreinterpretq_u32_u64(*words)));
    }
    quarter
}

/// Rotates words to the right, which is the rest of 64 bits to the left.
#[target_feature(enable = "neon")]
#[inline]
fn rotate<const RIGHT: i32, const LEFT: i32>(mut quarter: Quarter) -> Quarter {
    for words in &mut quarter {
        *words = vsriq_n_u64::<RIGHT>(vshlq_n_u64::<LEFT>(*words), *words);
    }
    quarter
}

#[target_feature(enable = "neon")]
#[inline]
fn first_word([[[[words, _], _], ..], ..]: &Rows) -> u64 {
    vgetq_lane_u64::<0>(*words)
}

#[target_feature(enable = "neon")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "64 vectors are a block")]
fn load(block: &Block, vector: usize) -> uint64x2_t {
    let vectors: &[[u64; 2]] = block.0.as_chunks().0;
    let words = &vectors[vector];
    // SAFETY: a vector is read from where its two words are.
    unsafe { vld1q_u64(words.as_ptr()) }
}

#[target_feature(enable = "neon")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "64 vectors are a block")]
fn store(block: &mut Block, vector: usize, value: uint64x2_t) {
    let vectors: &mut [[u64; 2]] = block.0.as_chunks_mut().0;
    let words = &mut vectors[vector];
    // SAFETY: a vector is written to where its two words are.
    unsafe { vst1q_u64(words.as_mut_ptr(), value) }
}
