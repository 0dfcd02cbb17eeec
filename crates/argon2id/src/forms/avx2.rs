//! The compression function in vectors of 256 bits.
//!
//! A vector is a quarter of a row, which is as well a pair each of two columns. The permutation
//! works on the quarters of two rows at once, and on those of two columns, each in two vectors.
#![expect(unsafe_code, reason = "vectors are read from blocks and written to them")]

use std::arch::x86_64::{
    __m256i, _MM_HINT_T0, _mm_prefetch, _mm256_add_epi64, _mm256_alignr_epi8, _mm256_extract_epi64,
    _mm256_loadu_si256, _mm256_mul_epu32, _mm256_or_si256, _mm256_permute4x64_epi64,
    _mm256_setr_epi8, _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_shuffle_epi32,
    _mm256_srli_epi64, _mm256_storeu_si256, _mm256_xor_si256,
};

use crate::block::Block;
use crate::segment::{Segment, Step};
use crate::window::Location;

/// The same quarter of two rows, or of two columns: side by side, since an instruction waits for
/// the one before it, but not for its neighbour.
type Side = [__m256i; 2];

/// A block as it lies in memory: of every two rows the four quarters.
type Rows = [[Side; 4]; 4];

#[target_feature(enable = "avx2")]
pub(super) fn fill(segment: Segment<'_>) {
    segment.fill_with(|step| compress(step));
}

#[target_feature(enable = "avx2")]
#[inline]
fn compress(step: Step<'_>) -> Location {
    let Step { previous, reference, target, adds, next } = step;
    let mut rows = [[[_mm256_setzero_si256(); 2]; 4]; 4];
    for (vector, words) in rows.as_flattened_mut().as_flattened_mut().iter_mut().enumerate() {
        *words = _mm256_xor_si256(load(previous, vector), load(reference, vector));
    }
    for rows in &mut rows {
        *rows = permute_rows(*rows);
    }

    permute_columns(&mut rows, 0);
    // A quarter of the columns is enough to know what to fetch.
    let first_word = first_word(&rows) ^ previous.0[0] ^ reference.0[0];
    let first_word = if adds { first_word ^ target.0[0] } else { first_word };
    let location = next.fetch(first_word, |block| fetch(block));
    for quarter in 1..4 {
        permute_columns(&mut rows, quarter);
    }

    for (vector, mixed) in rows.as_flattened().as_flattened().iter().enumerate() {
        let mut words = _mm256_xor_si256(load(previous, vector), load(reference, vector));
        words = _mm256_xor_si256(words, *mixed);
        if adds {
            words = _mm256_xor_si256(words, load(target, vector));
        }
        store(target, vector, words);
    }
    location
}

/// The permutation `P` on two rows. Diagonals become columns by turning all quarters but the
/// second, which is known last.
#[target_feature(enable = "avx2")]
#[inline]
fn permute_rows(quarters: [Side; 4]) -> [Side; 4] {
    let [a, b, c, d] = mix(quarters);
    let (a, c, d) = (rows_by_3(a), rows_by_1(c), rows_by_2(d));
    let [a, b, c, d] = mix([a, b, c, d]);
    [rows_by_1(a), b, rows_by_3(c), rows_by_2(d)]
}

/// The permutation `P` on the two columns that stand in a quarter of the rows.
#[target_feature(enable = "avx2")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "rows have four quarters")]
fn permute_columns(rows: &mut Rows, quarter: usize) {
    let [a, b, c, d] = mix(rows.map(|row| row[quarter]));
    let (a, c, [d, d2]) = (columns_by_3(a), columns_by_1(c), d);
    let [a, b, c, [d2, d]] = mix([a, b, c, [d2, d]]);
    let columns = [columns_by_1(a), b, columns_by_3(c), [d, d2]];
    for (row, words) in rows.iter_mut().zip(columns) {
        row[quarter] = words;
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn rows_by_1([one, other]: Side) -> Side {
    const WORDS: i32 = 0b00_11_10_01;
    [_mm256_permute4x64_epi64::<WORDS>(one), _mm256_permute4x64_epi64::<WORDS>(other)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn rows_by_2([one, other]: Side) -> Side {
    const WORDS: i32 = 0b01_00_11_10;
    [_mm256_permute4x64_epi64::<WORDS>(one), _mm256_permute4x64_epi64::<WORDS>(other)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn rows_by_3([one, other]: Side) -> Side {
    const WORDS: i32 = 0b10_01_00_11;
    [_mm256_permute4x64_epi64::<WORDS>(one), _mm256_permute4x64_epi64::<WORDS>(other)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn columns_by_1([one, other]: Side) -> Side {
    [_mm256_alignr_epi8::<8>(other, one), _mm256_alignr_epi8::<8>(one, other)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn columns_by_3([one, other]: Side) -> Side {
    [_mm256_alignr_epi8::<8>(one, other), _mm256_alignr_epi8::<8>(other, one)]
}

/// `GB` of RFC 9106 §3.6, four times in every vector.
#[target_feature(enable = "avx2")]
#[inline]
fn mix([a, b, c, d]: [Side; 4]) -> [Side; 4] {
    let a = add(a, b);
    let d = xor(d, a).map(|words| by_32(words));
    let c = add(c, d);
    let b = xor(b, c).map(|words| by_24(words));
    let a = add(a, b);
    let d = xor(d, a).map(|words| by_16(words));
    let c = add(c, d);
    let b = xor(b, c).map(|words| by_63(words));
    [a, b, c, d]
}

/// Adds words and twice the product of their lower halves.
#[target_feature(enable = "avx2")]
#[inline]
fn add(mut sums: Side, others: Side) -> Side {
    for (sum, other) in sums.iter_mut().zip(others) {
        let product = _mm256_mul_epu32(*sum, other);
        let twice = _mm256_add_epi64(product, product);
        *sum = _mm256_add_epi64(_mm256_add_epi64(*sum, other), twice);
    }
    sums
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor([one, other]: Side, [third, fourth]: Side) -> Side {
    [_mm256_xor_si256(one, third), _mm256_xor_si256(other, fourth)]
}

#[target_feature(enable = "avx2")]
#[inline]
fn by_32(words: __m256i) -> __m256i {
    _mm256_shuffle_epi32::<0b10_11_00_01>(words)
}

#[target_feature(enable = "avx2")]
#[inline]
fn by_24(words: __m256i) -> __m256i {
    let bytes = _mm256_setr_epi8(
        3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, //
        3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10,
    );
    _mm256_shuffle_epi8(words, bytes)
}

#[target_feature(enable = "avx2")]
#[inline]
fn by_16(words: __m256i) -> __m256i {
    let bytes = _mm256_setr_epi8(
        2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, //
        2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9,
    );
    _mm256_shuffle_epi8(words, bytes)
}

#[target_feature(enable = "avx2")]
#[inline]
fn by_63(words: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_srli_epi64::<63>(words), _mm256_add_epi64(words, words))
}

#[target_feature(enable = "avx2")]
#[inline]
fn first_word([[[words, _], ..], ..]: &Rows) -> u64 {
    _mm256_extract_epi64::<0>(*words).cast_unsigned()
}

/// Asks for a block's cache lines.
#[target_feature(enable = "avx2")]
#[inline]
fn fetch(block: &Block) {
    let lines: &[[u64; 8]] = block.0.as_chunks().0;
    for line in lines {
        _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast());
    }
}

#[target_feature(enable = "avx2")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "32 vectors are a block")]
fn load(block: &Block, vector: usize) -> __m256i {
    let vectors: &[[u64; 4]] = block.0.as_chunks().0;
    let words = &vectors[vector];
    // SAFETY: a vector is read from where its four words are.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
#[expect(clippy::indexing_slicing, reason = "32 vectors are a block")]
fn store(block: &mut Block, vector: usize, value: __m256i) {
    let vectors: &mut [[u64; 4]] = block.0.as_chunks_mut().0;
    let words = &mut vectors[vector];
    // SAFETY: a vector is written to where its four words are.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), value) }
}
