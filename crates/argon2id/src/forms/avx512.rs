//! The compression function in vectors of 512 bits.
//!
//! A vector is the same quarter of two rows (`block` says why). Four of them, the quarters of
//! two rows, are what the permutation works on, and so are the same quarters of all rows, which
//! are two columns. Several such fours go side by side, since an instruction waits for the one
//! before it, but not for its neighbours.
#![expect(unsafe_code, reason = "vectors are read from blocks and written to them")]

use std::arch::x86_64::{
    __m512i, _MM_HINT_T0, _mm_cvtsi128_si64, _mm_prefetch, _mm512_add_epi64,
    _mm512_castsi512_si128, _mm512_loadu_si512, _mm512_mul_epu32, _mm512_permutex_epi64,
    _mm512_permutexvar_epi64, _mm512_ror_epi64, _mm512_setr_epi64, _mm512_shuffle_i64x2,
    _mm512_storeu_si512, _mm512_ternarylogic_epi64, _mm512_xor_si512,
};

use crate::block::Block;
use crate::segment::{Segment, Step};
use crate::window::Location;

/// The same quarter of several fours.
type Side<const N: usize> = [__m512i; N];

#[target_feature(enable = "avx512f")]
pub(super) fn fill(segment: Segment<'_>) {
    segment.fill_with(|step| compress(step));
}

#[target_feature(enable = "avx512f")]
#[inline]
fn compress(step: Step<'_>) -> Location {
    let Step { previous, reference, target, adds, next } = step;
    let both = |vector| _mm512_xor_si512(load(previous, vector), load(reference, vector));
    let [[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3], [d0, d1, d2, d3]] = permute_rows([
        [both(0), both(4), both(8), both(12)],
        [both(1), both(5), both(9), both(13)],
        [both(2), both(6), both(10), both(14)],
        [both(3), both(7), both(11), both(15)],
    ]);

    let [[a0, b0], [a1, b1], [a2, b2], [a3, b3]] =
        permute_columns([[a0, b0], [a1, b1], [a2, b2], [a3, b3]]);
    // Half of the columns are enough to know what to fetch.
    let first_word = first_word(a0) ^ previous.0[0] ^ reference.0[0];
    let first_word = if adds { first_word ^ target.0[0] } else { first_word };
    let location = next.fetch(first_word, |block| fetch(block));
    let [[c0, d0], [c1, d1], [c2, d2], [c3, d3]] =
        permute_columns([[c0, d0], [c1, d1], [c2, d2], [c3, d3]]);

    let mixed = [a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3];
    for (vector, mixed) in mixed.into_iter().enumerate() {
        let mut words = xor3(mixed, load(previous, vector), load(reference, vector));
        if adds {
            words = _mm512_xor_si512(words, load(target, vector));
        }
        store(target, vector, words);
    }
    location
}

/// The permutation `P` on rows. Diagonals become columns by turning all rows of a four but the
/// second, which is known last.
#[target_feature(enable = "avx512f")]
#[inline]
fn permute_rows<const N: usize>(quarters: [Side<N>; 4]) -> [Side<N>; 4] {
    let [a, b, c, d] = mix(quarters);
    let (a, c, d) = (rows_by_3(a), rows_by_1(c), rows_by_2(d));
    let [a, b, c, d] = mix([a, b, c, d]);
    [rows_by_1(a), b, rows_by_3(c), rows_by_2(d)]
}

/// The permutation `P` on columns.
#[target_feature(enable = "avx512f")]
#[inline]
fn permute_columns<const N: usize>(quarters: [Side<N>; 4]) -> [Side<N>; 4] {
    let [a, b, c, d] = mix(quarters);
    let (a, c, d) = (columns_by_3(a), columns_by_1(c), columns_by_2(d));
    let [a, b, c, d] = mix([a, b, c, d]);
    [columns_by_1(a), b, columns_by_3(c), columns_by_2(d)]
}

#[target_feature(enable = "avx512f")]
#[inline]
fn rows_by_1<const N: usize>(mut words: Side<N>) -> Side<N> {
    for words in &mut words {
        *words = _mm512_permutex_epi64::<0b00_11_10_01>(*words);
    }
    words
}

#[target_feature(enable = "avx512f")]
#[inline]
fn rows_by_2<const N: usize>(mut words: Side<N>) -> Side<N> {
    for words in &mut words {
        *words = _mm512_permutex_epi64::<0b01_00_11_10>(*words);
    }
    words
}

#[target_feature(enable = "avx512f")]
#[inline]
fn rows_by_3<const N: usize>(mut words: Side<N>) -> Side<N> {
    for words in &mut words {
        *words = _mm512_permutex_epi64::<0b10_01_00_11>(*words);
    }
    words
}

/// A quarter of a column is a pair in the upper half and the pair below it in the lower half.
#[target_feature(enable = "avx512f")]
#[inline]
fn columns_by_1<const N: usize>(mut words: Side<N>) -> Side<N> {
    for words in &mut words {
        *words = _mm512_permutexvar_epi64(_mm512_setr_epi64(1, 4, 3, 6, 5, 0, 7, 2), *words);
    }
    words
}

#[target_feature(enable = "avx512f")]
#[inline]
fn columns_by_2<const N: usize>(mut words: Side<N>) -> Side<N> {
    for words in &mut words {
        *words = _mm512_shuffle_i64x2::<0b01_00_11_10>(*words, *words);
    }
    words
}

#[target_feature(enable = "avx512f")]
#[inline]
fn columns_by_3<const N: usize>(mut words: Side<N>) -> Side<N> {
    for words in &mut words {
        *words = _mm512_permutexvar_epi64(_mm512_setr_epi64(5, 0, 7, 2, 1, 4, 3, 6), *words);
    }
    words
}

/// `GB` of RFC 9106 §3.6, eight times in every vector.
#[target_feature(enable = "avx512f")]
#[inline]
fn mix<const N: usize>([a, b, c, d]: [Side<N>; 4]) -> [Side<N>; 4] {
    let a = add(a, b);
    let d = turn::<32, N>(d, a);
    let c = add(c, d);
    let b = turn::<24, N>(b, c);
    let a = add(a, b);
    let d = turn::<16, N>(d, a);
    let c = add(c, d);
    let b = turn::<63, N>(b, c);
    [a, b, c, d]
}

/// Adds words and twice the product of their lower halves.
#[target_feature(enable = "avx512f")]
#[inline]
fn add<const N: usize>(mut sums: Side<N>, others: Side<N>) -> Side<N> {
    for (sum, other) in sums.iter_mut().zip(others) {
        let product = _mm512_mul_epu32(*sum, other);
        let twice = _mm512_add_epi64(product, product);
        *sum = _mm512_add_epi64(_mm512_add_epi64(*sum, other), twice);
    }
    sums
}

/// Adds bits and rotates words to the right.
#[target_feature(enable = "avx512f")]
#[inline]
fn turn<const BITS: i32, const N: usize>(mut words: Side<N>, others: Side<N>) -> Side<N> {
    for (words, other) in words.iter_mut().zip(others) {
        *words = _mm512_ror_epi64::<BITS>(_mm512_xor_si512(*words, other));
    }
    words
}

#[target_feature(enable = "avx512f")]
#[inline]
fn xor3(x: __m512i, y: __m512i, z: __m512i) -> __m512i {
    const XOR_OF_THREE: i32 = 0x96;
    _mm512_ternarylogic_epi64::<XOR_OF_THREE>(x, y, z)
}

#[target_feature(enable = "avx512f")]
#[inline]
fn first_word(words: __m512i) -> u64 {
    _mm_cvtsi128_si64(_mm512_castsi512_si128(words)).cast_unsigned()
}

/// Asks for a block's cache lines.
#[target_feature(enable = "avx512f")]
#[inline]
fn fetch(block: &Block) {
    for line in vectors(block) {
        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
    }
}

fn vectors(block: &Block) -> &[[u64; 8]] {
    block.0.as_chunks().0
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "16 vectors are a block")]
fn load(block: &Block, vector: usize) -> __m512i {
    let words = &vectors(block)[vector];
    // SAFETY: a vector is read from where its eight words are.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "16 vectors are a block")]
fn store(block: &mut Block, vector: usize, value: __m512i) {
    let vectors: &mut [[u64; 8]] = block.0.as_chunks_mut().0;
    let words = &mut vectors[vector];
    // SAFETY: a vector is written to where its eight words are.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), value) }
}
