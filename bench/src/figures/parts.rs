//! What a figure is held against: the work that cannot be avoided, done with nothing around it,
//! on the server's core.

use std::time::{Duration, Instant};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use ironlatch_core::settings::PasswordSettings;

use crate::machine;
use crate::seed::PASSWORD;

/// How fast passwords could be hashed if nothing else were done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Hashing {
    pub(crate) per_second: f64,
    pub(crate) per_cpu_second: f64,
}

/// Hashes passwords for a while as the hash gate does: the same function and costs, one block of
/// memory used again and again, on a thread as low in priority.
pub(crate) fn hashing(span: Duration) -> anyhow::Result<Hashing> {
    aside(move || {
        rustix::process::setpriority_process(Some(rustix::thread::gettid()), 10)?;
        let settings = PasswordSettings::default();
        let params = Params::new(
            settings.argon2_memory_kib,
            settings.argon2_passes,
            settings.argon2_lanes,
            Some(32),
        )?;
        let mut memory = vec![Block::new(); params.block_count()];
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let mut hash = || {
            let mut output = [0; 32];
            let salt = [7; 16];
            argon2.hash_password_into_with_memory(
                PASSWORD.as_bytes(),
                &salt,
                &mut output,
                &mut memory,
            )
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
        Ok(Hashing {
            per_second: machine::per_second(hashes, start.elapsed()),
            per_cpu_second: machine::per_second(hashes, spent),
        })
    })
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
