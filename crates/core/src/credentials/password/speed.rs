//! How fast this machine hashes, for an operator who chooses what a hash costs.

use std::fmt;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use ironlatch_argon2id::{Arena, Form, Hasher, Params};

use super::recipe::{OUR_OUTPUT, OUR_SALT};
use crate::error::InternalError;
use crate::settings::PasswordSettings;

/// What an Argon2id hash costs, as `[passwords]` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// `argon2_memory_kib`.
    pub memory_kib: u32,
    /// `argon2_passes`.
    pub passes: u32,
    /// `argon2_lanes`.
    pub lanes: u32,
}

impl From<&PasswordSettings> for Costs {
    fn from(settings: &PasswordSettings) -> Self {
        Self {
            memory_kib: settings.argon2_memory_kib,
            passes: settings.argon2_passes,
            lanes: settings.argon2_lanes,
        }
    }
}

impl fmt::Display for Costs {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { memory_kib, passes, lanes } = self;
        write!(out, "m={memory_kib} t={passes} p={lanes}")
    }
}

/// The form of Argon2id that this processor runs.
#[must_use]
pub fn form() -> impl fmt::Display {
    Form::best()
}

/// How many passwords so many threads together hash in a second, each for itself as a slot of
/// the hash gate does. Blocks for about `span`, and for one hash before.
pub fn hashes_per_second(
    costs: Costs,
    threads: usize,
    span: Duration,
) -> Result<f64, InternalError> {
    let params = Params::new(costs.memory_kib, costs.passes, costs.lanes);
    let params = params.map_err(InternalError::fault)?;
    let start = Barrier::new(threads);
    thread::scope(|scope| {
        let work = || slot(params, &start, span);
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let panicked = |_| InternalError::fault("a measured hash panicked");
        running.into_iter().map(|thread| thread.join().map_err(panicked)?).sum()
    })
}

fn slot(params: Params, start: &Barrier, span: Duration) -> Result<f64, InternalError> {
    let mut arena = Arena::new();
    let reserved = arena.reserve(&params).map_err(InternalError::unavailable);
    let hasher = Hasher::new(params);
    let mut hash = || {
        let mut output = [0; OUR_OUTPUT];
        hasher
            .hash_into(b"a password of usual length", &[7; OUR_SALT], &mut arena, &mut output)
            .map_err(InternalError::fault)
    };
    // The first one warms up. Who failed meets the others all the same: they would wait for it.
    let warmed = reserved.and_then(|()| hash());
    start.wait();
    warmed?;
    let (begun, mut done) = (Instant::now(), 0_u32);
    while begun.elapsed() < span {
        hash()?;
        done += 1;
    }
    Ok(f64::from(done) / begun.elapsed().as_secs_f64())
}
