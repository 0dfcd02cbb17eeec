//! Who hashes, and how much of it in a while.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Version};
use ironlatch_argon2id::{Arena, Form, Hasher, Params};

use crate::machine;
use crate::seed::PASSWORD;

const SALT: [u8; 16] = [7; 16];

/// What a hash costs, and on how many threads its lanes are computed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    pub(crate) memory_kib: u32,
    pub(crate) passes: u32,
    pub(crate) lanes: u32,
    pub(crate) threads: NonZeroUsize,
}

impl Costs {
    pub(crate) const fn new(memory_kib: u32, passes: u32, lanes: u32) -> Self {
        Self { memory_kib, passes, lanes, threads: NonZeroUsize::MIN }
    }
}

/// What was done in a window.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) per_second: f64,
    pub(crate) per_cpu_second: f64,
    /// All contestants' must be the same.
    pub(crate) tag: [u8; 32],
}

/// Our own: its arena taken beforehand and wiped after each hash.
pub(crate) fn ours(form: Form, costs: Costs, span: Duration) -> anyhow::Result<Done> {
    let params = Params::new(costs.memory_kib, costs.passes, costs.lanes)?;
    let hasher = Hasher::new(params).form(form).threads(costs.threads);
    let mut arena = Arena::new();
    arena.reserve(&params)?;
    again_and_again(span, |tag| {
        Ok(hasher.hash_into(PASSWORD.as_bytes(), &SALT, &mut arena, tag)?)
    })
}

/// The `argon2` crate: its memory is used again, on pages as the allocator gives them, and not
/// wiped.
pub(crate) fn usual_crate(costs: Costs, span: Duration) -> anyhow::Result<Done> {
    let params = argon2::Params::new(costs.memory_kib, costs.passes, costs.lanes, Some(32))?;
    let mut memory = vec![Block::new(); params.block_count()];
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    again_and_again(span, |tag| {
        let password = PASSWORD.as_bytes();
        Ok(argon2.hash_password_into_with_memory(password, &SALT, tag, &mut memory)?)
    })
}

fn again_and_again(
    span: Duration,
    mut hash: impl FnMut(&mut [u8; 32]) -> anyhow::Result<()>,
) -> anyhow::Result<Done> {
    let mut tag = [0; 32];
    // The first touches the memory.
    hash(&mut tag)?;
    let (begun, spent) = (Instant::now(), machine::thread_cpu_time()?);
    let mut hashes = 0;
    while begun.elapsed() < span {
        hash(&mut tag)?;
        hashes += 1;
    }
    let elapsed = begun.elapsed();
    let spent = machine::thread_cpu_time()?.saturating_sub(spent);
    Ok(Done {
        per_second: machine::per_second(hashes, elapsed),
        per_cpu_second: machine::per_second(hashes, spent),
        tag,
    })
}
