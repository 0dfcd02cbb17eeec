//! Whether the time of a hash tells anything about the password.
//!
//! Hashes one password again and again, and in between, by the throw of a coin, others of its
//! length. Welch's t-test then asks whether both took the same time on the whole: beyond ±4.5
//! they did not. With a fresh salt every time nothing should be seen. With one salt, which an
//! attacker does not know, Argon2id reads the same memory for the same password and other memory
//! for others; Argon2i never does. Run it on a machine that does nothing else:
//!
//! `cargo run --release -p ironlatch-argon2id --example timing -- [rounds [memory_kib [passes]]]`

use std::time::Instant;

use ironlatch_argon2id::{Arena, Error, Form, Hasher, Params, Variant};

/// Of a password. Longer ones cost time in the first step (`H_0`), which is
/// all that a length ever costs.
const LENGTH: usize = 16;

fn main() -> Result<(), Error> {
    let mut words = std::env::args().skip(1).filter_map(|word| word.parse::<u32>().ok());
    let rounds = words.next().unwrap_or(20_000);
    let params = Params::new(words.next().unwrap_or(2048), words.next().unwrap_or(2), 1)?;
    let mut arena = Arena::new();
    arena.reserve(&params)?;
    for form in Form::available() {
        for variant in [Variant::Id, Variant::I] {
            let hasher = Hasher::new(params).variant(variant).form(form);
            for is_fresh in [true, false] {
                let salts = if is_fresh { "fresh salts" } else { "one salt" };
                let [all, usual] = compare(&hasher, rounds, is_fresh, &mut arena)?;
                println!(
                    "{form:>8} {variant:?} {salts:>11}: t = {all:+.2}, usual times {usual:+.2}"
                );
            }
        }
    }
    Ok(())
}

/// Welch's t of all times, and of those that nothing else on the machine lengthened.
fn compare(
    hasher: &Hasher<'_>,
    rounds: u32,
    is_fresh: bool,
    arena: &mut Arena,
) -> Result<[f64; 2], Error> {
    let mut dice = Dice(0);
    let mut times = Vec::new();
    let mut salt = dice.bytes();
    let fixed = dice.bytes();
    for _ in 0..rounds {
        let is_other = dice.throw().is_multiple_of(2);
        let other = dice.bytes();
        let password = if is_other { other } else { fixed };
        if is_fresh {
            salt = dice.bytes();
        }
        let begin = Instant::now();
        hasher.hash_into(&password, &salt, arena, &mut [0; 32])?;
        times.push((begin.elapsed().as_secs_f64(), is_other));
    }
    times.sort_by(|one, other| one.0.total_cmp(&other.0));
    let usual = times.len() * 9 / 10;
    Ok([welch(&times), welch(times.split_at(usual).0)])
}

fn welch(times: &[(f64, bool)]) -> f64 {
    let moments = |is_other: bool| {
        let class = || times.iter().filter(move |time| time.1 == is_other).map(|time| time.0);
        let count = class().map(|_| 1.0).sum::<f64>();
        let mean = class().sum::<f64>() / count;
        let variance = class().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    };
    let ((one, its), (other, others)) = (moments(false), moments(true));
    (one - other) / (its + others).sqrt()
}

/// `SplitMix64`.
struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self) -> [u8; LENGTH] {
        [(); LENGTH].map(|()| self.throw().to_le_bytes()[0])
    }
}
