//! What a figure is held against: the work that cannot be avoided, done with nothing around it,
//! on the server's core.

use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use ironlatch_argon2id::{Arena, Hasher, Params};
use ironlatch_core::settings::PasswordSettings;

use crate::machine;
use crate::seed::PASSWORD;

/// Hashing and nothing else.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Hashing {
    hashes: u64,
    took: Duration,
    spent: Duration,
}

impl Hashing {
    pub(crate) fn per_second(self) -> f64 {
        machine::per_second(self.hashes, self.took)
    }

    pub(crate) fn per_cpu_second(self) -> f64 {
        machine::per_second(self.hashes, self.spent)
    }

    /// This, and then that.
    pub(crate) fn then(self, next: Self) -> Self {
        Self { took: self.took + next.took, ..self.beside(next) }
    }

    /// This, and that at the same time.
    fn beside(self, other: Self) -> Self {
        Self {
            hashes: self.hashes + other.hashes,
            took: self.took.max(other.took),
            spent: self.spent + other.spent,
        }
    }
}

/// Hashes passwords for a while as the hash gate does: the same function and costs, one arena
/// used again and again, on a thread as low in priority.
pub(crate) fn hashing(span: Duration) -> anyhow::Result<Hashing> {
    aside(move || hashing_here(span))
}

/// The same on both cores at once.
pub(crate) fn hashing_on_both(span: Duration) -> anyhow::Result<Hashing> {
    let on = |core| {
        move || {
            machine::stay_on(core)?;
            hashing_here(span)
        }
    };
    let each = std::thread::scope(|scope| {
        let threads = machine::BOTH_CORES.map(|core| scope.spawn(on(core)));
        threads
            .map(|thread| thread.join().map_err(|_| anyhow::anyhow!("a measured part panicked"))?)
    });
    let [one, other]: [anyhow::Result<Hashing>; 2] = each;
    Ok(one?.beside(other?))
}

fn hashing_here(span: Duration) -> anyhow::Result<Hashing> {
    rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10)?;
    let settings = PasswordSettings::default();
    let params =
        Params::new(settings.argon2_memory_kib, settings.argon2_passes, settings.argon2_lanes)?;
    let mut arena = Arena::new();
    arena.reserve(&params)?;
    let mut hash = || {
        let (salt, mut output) = ([7; 16], [0; 32]);
        Hasher::new(params).hash_into(PASSWORD.as_bytes(), &salt, &mut arena, &mut output)
    };
    // The first touches the memory.
    hash()?;
    let (start, spent) = (Instant::now(), machine::thread_cpu_time()?);
    let mut hashes = 0;
    while start.elapsed() < span {
        hash()?;
        hashes += 1;
    }
    let spent = machine::thread_cpu_time()?.saturating_sub(spent);
    Ok(Hashing { hashes, took: start.elapsed(), spent })
}

/// Seconds that one Ed25519 signature of an access token's length takes.
pub(crate) fn signature(span: Duration) -> anyhow::Result<f64> {
    aside(move || {
        let key = Ed25519KeyPair::generate()?;
        let token = [b'x'; 420];
        let rate = machine::rate(span, || {
            std::hint::black_box(key.sign(&token));
            Ok(())
        })?;
        std::hint::black_box(key.public_key());
        Ok(1.0 / rate)
    })
}

/// Seconds that one HMAC-SHA-256 of a refresh token's length takes.
pub(crate) fn mac(span: Duration) -> anyhow::Result<f64> {
    aside(move || {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let token = [b'x'; 420];
        let rate = machine::rate(span, || {
            std::hint::black_box(hmac::sign(&key, &token));
            Ok(())
        })?;
        Ok(1.0 / rate)
    })
}

/// Runs something on a thread of its own that stays on the server's core.
pub(crate) fn aside<T: Send>(work: impl FnOnce() -> anyhow::Result<T> + Send) -> anyhow::Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            machine::stay_on(machine::SERVER_CORE)?;
            work()
        });
        thread.join().map_err(|_| anyhow::anyhow!("a measured part panicked"))?
    })
}
