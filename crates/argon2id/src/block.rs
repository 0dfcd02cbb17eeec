use zeroize::DefaultIsZeroes;

/// Words of 64 bits in a block.
pub(crate) const WORDS: usize = 128;

/// 1 KiB of memory, what Argon2 computes with (RFC 9106 §3.1). As wide as a cache line in
/// alignment, so no vector crosses one.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Block(pub(crate) [u64; WORDS]);

impl Block {
    pub(crate) const ZERO: Self = Self([0; WORDS]);

    pub(crate) fn from_bytes(bytes: &[u8; 8 * WORDS]) -> Self {
        let mut block = Self::ZERO;
        for (word, eight) in block.0.iter_mut().zip(bytes.as_chunks().0) {
            *word = u64::from_le_bytes(*eight);
        }
        block
    }

    pub(crate) fn to_bytes(self) -> [u8; 8 * WORDS] {
        let mut bytes = [0; 8 * WORDS];
        for (eight, word) in bytes.as_chunks_mut().0.iter_mut().zip(self.0) {
            *eight = word.to_le_bytes();
        }
        bytes
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
