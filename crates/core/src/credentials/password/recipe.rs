//! How a hash is computed: the function, its costs and its salt, without the result.
//!
//! Costs come out of stored hashes, so none is believed before it was held against a cap: an
//! imported row must not be able to stop the server.

use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, pbkdf2};
use data_encoding::HEXLOWER;
use ironlatch_argon2id::{Arena, Hasher, Params, Variant, Version};
use zeroize::Zeroizing;

use crate::error::InternalError;
use crate::settings::PasswordSettings;

/// The most memory one hash may ask for, in KiB.
pub(crate) const MOST_MEMORY_KIB: u32 = 128 * 1_024;
/// The most Argon2 work one hash may ask for: memory in KiB times passes.
pub(crate) const MOST_ARGON2_WORK: u64 = 1_024 * 1_024;
/// The most lanes an Argon2 hash may ask for.
pub(crate) const MOST_ARGON2_LANES: u32 = 64;
const MOST_PBKDF2_ITERATIONS: u32 = 4_000_000;
const MOST_SCRYPT_WORK: u64 = 8 * 1_024 * 1_024;
const MOST_BCRYPT_COST: u32 = 16;

/// How many bytes our own hashes have, and their salts (RFC 9106 §3.1, §4).
pub(super) const OUR_OUTPUT: usize = 32;
pub(super) const OUR_SALT: usize = 16;
/// How many bytes PBKDF2 with SHA-1 gives at once.
pub(super) const SHA1_OUTPUT: usize = 20;

/// One way to turn a password into bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    pub(super) function: Function,
    pub(super) salt: Vec<u8>,
    /// How many bytes come out.
    pub(super) length: usize,
}

/// The functions we know, with their costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Argon2 { variant: Variant, version: Version, memory_kib: u32, passes: u32, lanes: u32 },
    Pbkdf2 { digest: Pbkdf2Digest, iterations: NonZeroU32 },
    Scrypt { log_n: u8, r: u32, p: u32 },
    Bcrypt { prehash: Prehash, cost: u32 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pbkdf2Digest {
    Sha1,
    Sha256,
}

/// What bcrypt is given: the password, of which it takes 72 bytes, or Django's digest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prehash {
    None,
    Sha256Hex,
}

impl Function {
    /// What new passwords are hashed with.
    pub(super) fn today(settings: &PasswordSettings) -> Self {
        Self::Argon2 {
            variant: Variant::Id,
            version: Version::V0x13,
            memory_kib: settings.argon2_memory_kib,
            passes: settings.argon2_passes,
            lanes: settings.argon2_lanes,
        }
    }

    /// The memory it needs, in KiB.
    pub(super) fn memory_kib(self) -> u64 {
        match self {
            Self::Argon2 { memory_kib, .. } => memory_kib.into(),
            // RFC 7914 §5 and §6: a table of N blocks, p blocks of state, and one to mix in.
            Self::Scrypt { log_n, r, p } => {
                let blocks = (1_u64 << log_n.min(40)) + u64::from(p) + 1;
                blocks.saturating_mul(u64::from(r)).div_ceil(8)
            }
            Self::Pbkdf2 { .. } | Self::Bcrypt { .. } => 8,
        }
    }

    /// Whether it runs in the memory block an ordinary slot keeps.
    pub(super) fn fits_slot(self, slot_memory_kib: u32) -> bool {
        match self {
            Self::Argon2 { memory_kib, .. } => memory_kib <= slot_memory_kib,
            Self::Scrypt { .. } => false,
            Self::Pbkdf2 { .. } | Self::Bcrypt { .. } => true,
        }
    }

    /// Whether the costs are ones we are willing to pay.
    pub(super) fn is_within_caps(self) -> bool {
        match self {
            Self::Argon2 { memory_kib, passes, lanes, .. } => {
                memory_kib <= MOST_MEMORY_KIB
                    && passes >= 1
                    && (1..=MOST_ARGON2_LANES).contains(&lanes)
                    && memory_kib >= 8 * lanes
                    && u64::from(memory_kib) * u64::from(passes) <= MOST_ARGON2_WORK
            }
            Self::Pbkdf2 { iterations, .. } => iterations.get() <= MOST_PBKDF2_ITERATIONS,
            Self::Scrypt { log_n, r, p } => {
                let work = (1_u64 << log_n.min(40)).saturating_mul(u64::from(r) * u64::from(p));
                log_n >= 1
                    && r >= 1
                    && p >= 1
                    && work <= MOST_SCRYPT_WORK
                    // Their state beside the table is what scrypt needs on top of 128·N·r.
                    && self.memory_kib() <= u64::from(MOST_MEMORY_KIB) + 1_024
            }
            Self::Bcrypt { cost, .. } => (4..=MOST_BCRYPT_COST).contains(&cost),
        }
    }

    /// Reads what [`fmt::Display`] writes, as `passwords.kind` holds it.
    pub(super) fn from_kind(kind: &str) -> Option<Self> {
        let (name, costs) = kind.split_once(':')?;
        let costs: Vec<u32> = costs.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
        let function = match (name, costs.as_slice()) {
            ("argon2id", &[memory_kib, passes, lanes]) => {
                argon2(Variant::Id, memory_kib, passes, lanes)
            }
            ("argon2i", &[memory_kib, passes, lanes]) => {
                argon2(Variant::I, memory_kib, passes, lanes)
            }
            ("pbkdf2_sha256", &[iterations]) => Self::Pbkdf2 {
                digest: Pbkdf2Digest::Sha256,
                iterations: NonZeroU32::new(iterations)?,
            },
            ("pbkdf2_sha1", &[iterations]) => Self::Pbkdf2 {
                digest: Pbkdf2Digest::Sha1,
                iterations: NonZeroU32::new(iterations)?,
            },
            ("scrypt", &[n, r, p]) if n.is_power_of_two() => {
                Self::Scrypt { log_n: u8::try_from(n.ilog2()).ok()?, r, p }
            }
            ("bcrypt", &[cost]) => Self::Bcrypt { prehash: Prehash::None, cost },
            ("bcrypt_sha256", &[cost]) => Self::Bcrypt { prehash: Prehash::Sha256Hex, cost },
            _ => return None,
        };
        function.is_within_caps().then_some(function)
    }

    /// The recipe of a hash nobody has: the same work, and a result that means nothing.
    pub(super) fn pretended(self) -> Recipe {
        let length = match self {
            // A second block of output would double the work (RFC 8018 §5.2).
            Self::Pbkdf2 { digest: Pbkdf2Digest::Sha1, .. } => SHA1_OUTPUT,
            _ => OUR_OUTPUT,
        };
        Recipe { function: self, salt: vec![0; OUR_SALT], length }
    }
}

fn argon2(variant: Variant, memory_kib: u32, passes: u32, lanes: u32) -> Function {
    Function::Argon2 { variant, version: Version::V0x13, memory_kib, passes, lanes }
}

/// The kind with its costs, as `passwords.kind` holds it: what two hashes that take equally long
/// have in common.
impl fmt::Display for Function {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Argon2 { variant, memory_kib, passes, lanes, .. } => {
                let name = match variant {
                    Variant::Id => "argon2id",
                    Variant::I => "argon2i",
                };
                write!(out, "{name}:{memory_kib}:{passes}:{lanes}")
            }
            Self::Pbkdf2 { digest: Pbkdf2Digest::Sha256, iterations } => {
                write!(out, "pbkdf2_sha256:{iterations}")
            }
            Self::Pbkdf2 { digest: Pbkdf2Digest::Sha1, iterations } => {
                write!(out, "pbkdf2_sha1:{iterations}")
            }
            Self::Scrypt { log_n, r, p } => write!(out, "scrypt:{}:{r}:{p}", 1_u64 << log_n),
            Self::Bcrypt { prehash: Prehash::None, cost } => write!(out, "bcrypt:{cost}"),
            Self::Bcrypt { prehash: Prehash::Sha256Hex, cost } => {
                write!(out, "bcrypt_sha256:{cost}")
            }
        }
    }
}

impl Recipe {
    /// Does the work. Slow by intent: only the hash gate's threads call it.
    pub(super) fn derive(
        &self,
        password: &[u8],
        arena: &mut Arena,
    ) -> Result<Zeroizing<Vec<u8>>, InternalError> {
        let mut output = Zeroizing::new(vec![0; self.length]);
        match self.function {
            Function::Argon2 { variant, version, memory_kib, passes, lanes } => {
                let params =
                    Params::new(memory_kib, passes, lanes).map_err(InternalError::fault)?;
                arena.reserve(&params).map_err(InternalError::unavailable)?;
                // One thread for all lanes: the gate's threads are counted.
                Hasher::new(params)
                    .variant(variant)
                    .version(version)
                    .hash_into(password, &self.salt, arena, &mut output)
                    .map_err(InternalError::fault)?;
            }
            Function::Pbkdf2 { digest, iterations } => {
                let algorithm = match digest {
                    Pbkdf2Digest::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
                    Pbkdf2Digest::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
                };
                pbkdf2::derive(algorithm, iterations, &self.salt, password, &mut output);
            }
            Function::Scrypt { log_n, r, p } => {
                let params = scrypt::Params::new(log_n, r, p).map_err(InternalError::fault)?;
                scrypt::scrypt(password, &self.salt, &params, &mut output)
                    .map_err(InternalError::fault)?;
            }
            Function::Bcrypt { prehash, cost } => {
                return bcrypt(prehash, cost, &self.salt, password);
            }
        }
        Ok(output)
    }
}

/// bcrypt's own shape: at most 72 bytes, closed by a zero byte where there is room for it.
fn bcrypt(
    prehash: Prehash,
    cost: u32,
    salt: &[u8],
    password: &[u8],
) -> Result<Zeroizing<Vec<u8>>, InternalError> {
    let salt = <[u8; 16]>::try_from(salt).map_err(InternalError::fault)?;
    let mut taken = Zeroizing::new(Vec::with_capacity(72));
    match prehash {
        Prehash::None => taken.extend_from_slice(password.get(..72).unwrap_or(password)),
        Prehash::Sha256Hex => {
            let digest = digest::digest(&digest::SHA256, password);
            taken.extend_from_slice(Zeroizing::new(HEXLOWER.encode(digest.as_ref())).as_bytes());
        }
    }
    // bcrypt repeats the password and its zero byte to fill its key, so a password with a zero
    // byte inside could equal a shorter one. No C program could have set it: it is never right.
    let is_impossible = taken.contains(&0);
    if taken.len() < 72 {
        taken.push(0);
    }
    let output = Zeroizing::new(bcrypt::bcrypt(cost, salt, &taken));
    // Of 24 bytes the text form keeps 23.
    let kept = if is_impossible { 0 } else { 23 };
    Ok(Zeroizing::new(output.get(..kept).unwrap_or_default().to_vec()))
}
