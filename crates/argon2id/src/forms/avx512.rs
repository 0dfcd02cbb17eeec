//! The compression function in vectors of 512 bits.
//!
//! A vector is the same quarter of two rows (`block` says why). The four quarters of two rows
//! are what the permutation works on, two rows at once; so are the same quarters of all rows,
//! two columns at once.
#![expect(unsafe_code, reason = "vectors are read from blocks and written to them")]

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_loadu_si512, _mm512_mul_epu32, _mm512_permutex_epi64,
    _mm512_permutexvar_epi64, _mm512_ror_epi64, _mm512_setr_epi64, _mm512_shuffle_i64x2,
    _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};

use crate::block::Block;
use crate::segment::{Segment, Step};

/// Vectors in a block.
const VECTORS: usize = 16;

/// `a ^ b ^ c` as a table of its eight results.
const XOR_OF_THREE: i32 = 0x96;

#[target_feature(enable = "avx512f")]
pub(super) fn fill(segment: Segment<'_>) {
    segment.fill_with(|step| compress(step));
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "4 quarters of 4 pairs of rows")]
fn compress(Step { previous, reference, target, adds }: Step<'_>) {
    let both = |i| _mm512_xor_si512(load(previous, i), load(reference, i));
    let [a, b, c, d] = [
        permute_rows([both(0), both(1), both(2), both(3)]),
        permute_rows([both(4), both(5), both(6), both(7)]),
        permute_rows([both(8), both(9), both(10), both(11)]),
        permute_rows([both(12), both(13), both(14), both(15)]),
    ];
    let columns = [
        permute_columns([a[0], b[0], c[0], d[0]]),
        permute_columns([a[1], b[1], c[1], d[1]]),
        permute_columns([a[2], b[2], c[2], d[2]]),
        permute_columns([a[3], b[3], c[3], d[3]]),
    ];
    for i in 0..VECTORS {
        let mixed = columns[i % 4][i / 4];
        let mut words = xor3(mixed, load(previous, i), load(reference, i));
        if adds {
            words = _mm512_xor_si512(words, load(target, i));
        }
        store(target, i, words);
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn permute_rows(quarters: [__m512i; 4]) -> [__m512i; 4] {
    let [a, b, c, d] = mix(quarters);
    let (a, c, d) = (row_by_3(a), row_by_1(c), row_by_2(d));
    let [a, b, c, d] = mix([a, b, c, d]);
    [row_by_1(a), b, row_by_3(c), row_by_2(d)]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn permute_columns(quarters: [__m512i; 4]) -> [__m512i; 4] {
    let [a, b, c, d] = mix(quarters);
    let (a, c, d) = (column_by_3(a), column_by_1(c), column_by_2(d));
    let [a, b, c, d] = mix([a, b, c, d]);
    [column_by_1(a), b, column_by_3(c), column_by_2(d)]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn row_by_1(words: __m512i) -> __m512i {
    _mm512_permutex_epi64::<0b00_11_10_01>(words)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn row_by_2(words: __m512i) -> __m512i {
    _mm512_permutex_epi64::<0b01_00_11_10>(words)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn row_by_3(words: __m512i) -> __m512i {
    _mm512_permutex_epi64::<0b10_01_00_11>(words)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn column_by_1(words: __m512i) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_setr_epi64(1, 4, 3, 6, 5, 0, 7, 2), words)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn column_by_2(words: __m512i) -> __m512i {
    _mm512_shuffle_i64x2::<0b01_00_11_10>(words, words)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn column_by_3(words: __m512i) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_setr_epi64(5, 0, 7, 2, 1, 4, 3, 6), words)
}

/// `GB` of RFC 9106 §3.6, eight times.
#[target_feature(enable = "avx512f")]
#[inline]
fn mix([a, b, c, d]: [__m512i; 4]) -> [__m512i; 4] {
    let a = add(a, b);
    let d = _mm512_ror_epi64::<32>(_mm512_xor_si512(d, a));
    let c = add(c, d);
    let b = _mm512_ror_epi64::<24>(_mm512_xor_si512(b, c));
    let a = add(a, b);
    let d = _mm512_ror_epi64::<16>(_mm512_xor_si512(d, a));
    let c = add(c, d);
    let b = _mm512_ror_epi64::<63>(_mm512_xor_si512(b, c));
    [a, b, c, d]
}

/// Adds words and twice the product of their lower halves.
#[target_feature(enable = "avx512f")]
#[inline]
fn add(x: __m512i, y: __m512i) -> __m512i {
    let product = _mm512_mul_epu32(x, y);
    _mm512_add_epi64(_mm512_add_epi64(x, y), _mm512_add_epi64(product, product))
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor3(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    _mm512_ternarylogic_epi64::<XOR_OF_THREE>(x, y, z)
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "counted by VECTORS")]
fn load(block: &Block, vector: usize) -> __m512i {
    let words: &[[u64; 8]] = block.0.as_chunks().0;
    // SAFETY: a vector is read from where its eight words are.
    unsafe { _mm512_loadu_si512(words[vector].as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "counted by VECTORS")]
fn store(block: &mut Block, vector: usize, value: __m512i) {
    let words: &mut [[u64; 8]] = block.0.as_chunks_mut().0;
    // SAFETY: a vector is written to where its eight words are.
    unsafe { _mm512_storeu_si512(words[vector].as_mut_ptr().cast(), value) }
}
