//! A block, and the order of its words in memory.
//!
//! `G` permutes the rows and then the columns of a matrix of 8 x 8 pairs of words (RFC 9106
//! §3.5). In memory a block lies as both want it: quarters of rows, four words each, two rows
//! interleaved. Vectors of 512 bits then hold the same quarter of two rows, which is as well the
//! same two columns of two rows, so nothing is moved between the two halves of `G`.

use zeroize::DefaultIsZeroes;

/// Words of 64 bits in a block.
pub(crate) const WORDS: usize = 128;

/// 1 KiB of memory, what Argon2 computes with (RFC 9106 §3.1). As wide as a cache line in
/// alignment, so no vector crosses one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Block(pub(crate) [u64; WORDS]);

/// Where a word of RFC 9106's block lies in memory. The first of all lies first.
pub(crate) const fn place(word: usize) -> usize {
    let (row, quarter) = (word / 16, word % 16 / 4);
    row / 2 * 32 + quarter * 8 + row % 2 * 4 + word % 4
}

impl Block {
    pub(crate) const ZERO: Self = Self([0; WORDS]);

    pub(crate) fn from_bytes(bytes: &[u8; 8 * WORDS]) -> Self {
        let mut block = Self::ZERO;
        for (word, eight) in bytes.as_chunks().0.iter().enumerate() {
            block.set(word, u64::from_le_bytes(*eight));
        }
        block
    }

    pub(crate) fn to_bytes(self) -> [u8; 8 * WORDS] {
        let mut bytes = [0; 8 * WORDS];
        for (word, eight) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
            *eight = self.word(word).to_le_bytes();
        }
        bytes
    }

    /// A word by its place in RFC 9106's block.
    pub(crate) fn word(&self, word: usize) -> u64 {
        self.0.get(place(word)).copied().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, word: usize, value: u64) {
        if let Some(slot) = self.0.get_mut(place(word)) {
            *slot = value;
        }
    }

    pub(crate) fn xor(&mut self, other: &Self) {
        for (word, other) in self.0.iter_mut().zip(other.0) {
            *word ^= other;
        }
    }
}

impl Default for Block {
    fn default() -> Self {
        Self::ZERO
    }
}

impl DefaultIsZeroes for Block {}
