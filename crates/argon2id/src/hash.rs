use std::num::NonZeroUsize;

use blake2::{Blake2b512, Digest};
use zeroize::{Zeroize, Zeroizing};

use crate::block::{Block, WORDS};
use crate::fill::{Fill, fill};
use crate::long_hash::long_hash;
use crate::{Arena, Error, Form, Params, Variant, Version};

/// Salt that every implementation asks for, and RFC 9106 §3.1 calls enough.
const SHORTEST_SALT: usize = 8;

/// Tags are 4 bytes long at least (RFC 9106 §3.1).
const SHORTEST_TAG: usize = 4;

/// How passwords are hashed: Argon2id of version 0x13, by the best form, on this thread, unless
/// told otherwise.
#[derive(Clone, Copy)]
pub struct Hasher<'a> {
    params: Params,
    variant: Variant,
    version: Version,
    secret: &'a [u8],
    associated: &'a [u8],
    form: Form,
    threads: NonZeroUsize,
}

impl<'a> Hasher<'a> {
    /// A hasher of today's hashes.
    #[must_use]
    pub fn new(params: Params) -> Self {
        Self {
            params,
            variant: Variant::Id,
            version: Version::V0x13,
            secret: &[],
            associated: &[],
            form: Form::best(),
            threads: NonZeroUsize::MIN,
        }
    }

    /// Another variant, for a hash that another system made.
    #[must_use]
    pub fn variant(self, variant: Variant) -> Self {
        Self { variant, ..self }
    }

    /// Another version, for a hash that another system made.
    #[must_use]
    pub fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// A key without which no hash can be checked (the `K` of RFC 9106 §3.1).
    #[must_use]
    pub fn secret(self, secret: &'a [u8]) -> Self {
        Self { secret, ..self }
    }

    /// What a hash is bound to (the `X` of RFC 9106 §3.1).
    #[must_use]
    pub fn associated(self, associated: &'a [u8]) -> Self {
        Self { associated, ..self }
    }

    /// A certain form, to compare it with others. The result is the same.
    #[must_use]
    pub fn form(self, form: Form) -> Self {
        Self { form, ..self }
    }

    /// So many threads may compute lanes, this one among them. More than lanes are not started.
    #[must_use]
    pub fn threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }

    /// Hashes a password into `out`, whose length is a part of the hash. The arena must have
    /// room ([`Arena::reserve`]) and is zero afterwards.
    pub fn hash_into(
        &self,
        password: &[u8],
        salt: &[u8],
        arena: &mut Arena,
        out: &mut [u8],
    ) -> Result<(), Error> {
        self.check(password, salt, out)?;
        let memory = arena.lend(&self.params)?;
        let seed = self.seed(password, salt, out);
        self.first_blocks(&seed, memory.0);
        fill(&self.fill(), memory.0);
        self.tag(memory.0, out);
        Ok(())
    }

    fn check(&self, password: &[u8], salt: &[u8], out: &[u8]) -> Result<(), Error> {
        let lengths = [
            ("password", password.len(), 0),
            ("salt", salt.len(), SHORTEST_SALT),
            ("secret", self.secret.len(), 0),
            ("associated data", self.associated.len(), 0),
            ("output", out.len(), SHORTEST_TAG),
        ];
        for (name, length, shortest) in lengths {
            if length < shortest || u32::try_from(length).is_err() {
                return Err(Error::Length(name));
            }
        }
        if self.form.is_available() { Ok(()) } else { Err(Error::FormUnavailable(self.form)) }
    }

    /// `H_0` of RFC 9106 §3.2: all that goes in, and the only step whose time depends on how
    /// long the password is.
    fn seed(&self, password: &[u8], salt: &[u8], out: &[u8]) -> Zeroizing<[u8; 64]> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes();
        let params = &self.params;
        let mut hasher = Blake2b512::new()
            .chain_update(params.lanes().to_le_bytes())
            .chain_update(length(out))
            .chain_update(params.memory_kib().to_le_bytes())
            .chain_update(params.passes().to_le_bytes())
            .chain_update(self.version.code().to_le_bytes())
            .chain_update(self.variant.code().to_le_bytes());
        for input in [password, salt, self.secret, self.associated] {
            hasher.update(length(input));
            hasher.update(input);
        }
        let mut seed = Zeroizing::new([0; 64]);
        hasher.finalize_into((&mut *seed).into());
        seed
    }

    /// The first two blocks of every lane (RFC 9106 §3.2, steps 3 and 4).
    fn first_blocks(&self, seed: &[u8; 64], memory: &mut [Block]) {
        let segments = memory.chunks_exact_mut(self.params.segment_length() as usize);
        let mut bytes = Zeroizing::new([0; 8 * WORDS]);
        for (lane, segment) in (0..self.params.lanes()).zip(segments) {
            for (index, block) in (0_u32..2).zip(segment) {
                let inputs = [&seed[..], &index.to_le_bytes(), &lane.to_le_bytes()];
                long_hash(&inputs, &mut *bytes);
                *block = Block::from_bytes(&bytes);
            }
        }
    }

    fn fill(&self) -> Fill {
        let Self { params, variant, version, form, threads, .. } = *self;
        Fill { params, variant, version, form, threads }
    }

    /// All lanes' last blocks together, hashed (RFC 9106 §3.2, steps 6 and 7).
    fn tag(&self, memory: &[Block], out: &mut [u8]) {
        let segments = memory.rchunks_exact(self.params.segment_length() as usize);
        let mut last = Block::ZERO;
        for segment in segments.take(self.params.lanes() as usize) {
            segment.last().into_iter().for_each(|block| last.xor(block));
        }
        let bytes = Zeroizing::new(last.to_bytes());
        long_hash(&[&bytes[..]], out);
        last.zeroize();
    }
}
