//! Password sign-ins for each second of processor time, against hashing and nothing else: on the
//! server's core, and with a slot on each core.

use std::time::Duration;

use super::Population;
use super::parts::{self, Hashing};
use crate::load::{Load, Waiting};
use crate::report::{Report, Target, rounds};
use crate::server::{Server, Wish};
use crate::terms::Terms;

/// One for each network, so that each waits for its own turn.
pub(super) const CLIENTS: usize = 64;
/// How often the two sides take turns in a round.
const TURNS: u32 = 6;

/// A way to hash for so long.
type Hash = fn(Duration) -> anyhow::Result<Hashing>;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let population = Population::new()?;
    let load = Load {
        requests: &population.sign_ins,
        clients: CLIENTS,
        // Two hundred answers a second wake nobody often, and two cores may share one memory.
        waiting: Waiting::Asleep,
        // Longer than anybody waits for a slot.
        warm_up: terms.warm_up * 2,
        window: terms.slow_window,
    };
    let figures: [(&str, bool, Hash); 2] = [
        ("sign-ins per CPU-second ÷ pure Argon2id", false, parts::hashing),
        // The load has a share of the second core, so the clock's figure is a detail only.
        ("the same with both cores hashing", true, parts::hashing_on_both),
    ];
    for (name, both_cores, hash) in figures {
        let server = Server::start(&population.store, Wish { both_cores, ..Wish::default() })?;
        let measured = rounds(|| one_round(&server, &load, hash, report))?;
        report.ratios(name, Target::AtLeast(0.93), &measured);
    }
    Ok(())
}

fn one_round(server: &Server, load: &Load<'_>, hash: Hash, report: &Report) -> anyhow::Result<f64> {
    let mut pure = Hashing::default();
    let ours = load.measure_in_turn((server.address, server.process()), TURNS, |span| {
        pure = pure.then(hash(span)?);
        Ok(())
    })?;
    report.detail(&format!(
        "for each CPU-second {:.1} sign-ins, {:.1} hashes; for each second {:.1} and {:.1}",
        ours.per_cpu_second,
        pure.per_cpu_second(),
        ours.per_second,
        pure.per_second(),
    ));
    Ok(ours.per_cpu_second / pure.per_cpu_second())
}
