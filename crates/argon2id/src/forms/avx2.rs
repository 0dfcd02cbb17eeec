//! The compression function in vectors of 256 bits.
//!
//! A vector is a quarter of a row, which is as well two columns' pairs in that row. The four
//! quarters of a row are what the permutation works on; of columns, two vectors make a quarter.
#![expect(unsafe_code, reason = "vectors are read from blocks and written to them")]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_alignr_epi8, _mm256_loadu_si256, _mm256_mul_epu32,
    _mm256_or_si256, _mm256_permute4x64_epi64, _mm256_setr_epi8, _mm256_setzero_si256,
    _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi64, _mm256_storeu_si256,
    _mm256_xor_si256,
};

use crate::block::Block;
use crate::segment::{Segment, Step};

/// Vectors in a block.
const VECTORS: usize = 32;

#[target_feature(enable = "avx2")]
pub(super) fn fill(segment: Segment<'_>) {
    segment.fill_with(|step| compress(step));
}

#[target_feature(enable = "avx2")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "8 rows of 4 quarters")]
fn compress(Step { previous, reference, target, adds }: Step<'_>) {
    let mut rows = [[_mm256_setzero_si256(); 4]; 8];
    for vector in 0..VECTORS {
        let words = _mm256_xor_si256(load(previous, vector), load(reference, vector));
        rows[row_of(vector)][quarter_of(vector)] = words;
    }
    for row in &mut rows {
        *row = permute_row(*row);
    }
    for quarter in 0..4 {
        let columns = permute_columns(rows.map(|row| row[quarter]));
        for (row, words) in rows.iter_mut().zip(columns) {
            row[quarter] = words;
        }
    }
    for vector in 0..VECTORS {
        let mut words = _mm256_xor_si256(load(previous, vector), load(reference, vector));
        words = _mm256_xor_si256(words, rows[row_of(vector)][quarter_of(vector)]);
        if adds {
            words = _mm256_xor_si256(words, load(target, vector));
        }
        store(target, vector, words);
    }
}

/// Rows lie interleaved in twos (`block` says why).
const fn row_of(vector: usize) -> usize {
    vector / 8 * 2 + vector % 2
}

const fn quarter_of(vector: usize) -> usize {
    vector % 8 / 2
}

#[target_feature(enable = "avx2")]
#[inline]
fn permute_row(quarters: [__m256i; 4]) -> [__m256i; 4] {
    let [a, b, c, d] = mix(quarters);
    let (a, c, d) = (by_3(a), by_1(c), by_2(d));
    let [a, b, c, d] = mix([a, b, c, d]);
    [by_1(a), b, by_3(c), by_2(d)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn by_1(quarter: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b00_11_10_01>(quarter)
}

#[target_feature(enable = "avx2")]
#[inline]
fn by_2(quarter: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b01_00_11_10>(quarter)
}

#[target_feature(enable = "avx2")]
#[inline]
fn by_3(quarter: __m256i) -> __m256i {
    _mm256_permute4x64_epi64::<0b10_01_00_11>(quarter)
}

/// Two columns: of each quarter one half in every vector.
#[target_feature(enable = "avx2")]
#[inline]
fn permute_columns([a, a2, b, b2, c, c2, d, d2]: [__m256i; 8]) -> [__m256i; 8] {
    let [a, b, c, d] = mix([a, b, c, d]);
    let [a2, b2, c2, d2] = mix([a2, b2, c2, d2]);
    // Turned by three, by one, and (in names only) by two.
    let (a, a2) = (upper_lower(a2, a), upper_lower(a, a2));
    let (c, c2) = (upper_lower(c, c2), upper_lower(c2, c));
    let [a, b, c, d2] = mix([a, b, c, d2]);
    let [a2, b2, c2, d] = mix([a2, b2, c2, d]);
    let (a, a2) = (upper_lower(a, a2), upper_lower(a2, a));
    let (c, c2) = (upper_lower(c2, c), upper_lower(c, c2));
    [a, a2, b, b2, c, c2, d, d2]
}

/// Of each column, the upper word of one vector and the lower word of the other.
#[target_feature(enable = "avx2")]
#[inline]
fn upper_lower(first: __m256i, second: __m256i) -> __m256i {
    _mm256_alignr_epi8::<8>(second, first)
}

/// `GB` of RFC 9106 §3.6, four times.
#[target_feature(enable = "avx2")]
#[inline]
fn mix([a, b, c, d]: [__m256i; 4]) -> [__m256i; 4] {
    let a = add(a, b);
    let d = rotate_by_32(_mm256_xor_si256(d, a));
    let c = add(c, d);
    let b = rotate_by_24(_mm256_xor_si256(b, c));
    let a = add(a, b);
    let d = rotate_by_16(_mm256_xor_si256(d, a));
    let c = add(c, d);
    let b = rotate_by_63(_mm256_xor_si256(b, c));
    [a, b, c, d]
}

/// Adds words and twice the product of their lower halves.
#[target_feature(enable = "avx2")]
#[inline]
fn add(x: __m256i, y: __m256i) -> __m256i {
    let product = _mm256_mul_epu32(x, y);
    _mm256_add_epi64(_mm256_add_epi64(x, y), _mm256_add_epi64(product, product))
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate_by_32(words: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<0b10_11_00_01>(words)
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate_by_24(words: __m256i) -> __m256i {
    let bytes = _mm256_setr_epi8(
        3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, //
        3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10,
    );
    _mm256_shuffle_epi8(words, bytes)
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate_by_16(words: __m256i) -> __m256i {
    let bytes = _mm256_setr_epi8(
        2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, //
        2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9,
    );
    _mm256_shuffle_epi8(words, bytes)
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate_by_63(words: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi64::<63>(words), _mm256_add_epi64(words, words))
}

#[target_feature(enable = "avx2")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "counted by VECTORS")]
fn load(block: &Block, vector: usize) -> __m256i {
    let words: &[[u64; 4]] = block.0.as_chunks().0;
    // SAFETY: a vector is read from where its four words are.
    unsafe { _mm256_loadu_si256(words[vector].as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "counted by VECTORS")]
fn store(block: &mut Block, vector: usize, value: __m256i) {
    let words: &mut [[u64; 4]] = block.0.as_chunks_mut().0;
    // SAFETY: a vector is written to where its four words are.
    unsafe { _mm256_storeu_si256(words[vector].as_mut_ptr().cast(), value) }
}
