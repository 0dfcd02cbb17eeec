//! Password sign-ins for each second of processor time, against hashing and nothing else: on the
//! server's core, and with a slot on each core.

use super::{Population, parts};
use crate::load::{Load, Waiting};
use crate::report::{Report, Target, rounds};
use crate::server::{Server, Wish};
use crate::terms::Terms;

/// One for each network, so that each waits for its own turn.
pub(super) const CLIENTS: usize = 64;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let population = Population::new()?;
    let load = Load {
        requests: &population.sign_ins,
        clients: CLIENTS,
        // Two hundred answers a second wake nobody often, and two cores may share one memory.
        waiting: Waiting::Asleep,
        warm_up: terms.warm_up,
        window: terms.slow_window,
    };
    {
        let server = Server::start(&population.store, Wish::default())?;
        let measured = rounds(|| {
            let ours = load.measure(server.address, server.process())?.per_cpu_second;
            let pure = parts::hashing(terms.slow_window)?.per_cpu_second;
            report.detail(&format!("{ours:.1} sign-ins, {pure:.1} hashes for each CPU-second"));
            Ok(ours / pure)
        })?;
        report.ratios("sign-ins per CPU-second ÷ pure Argon2id", Target::AtLeast(0.93), &measured);
    }
    // The load has a share of the second core then, so the clock's figure is a detail only.
    let server = Server::start(&population.store, Wish { both_cores: true, ..Wish::default() })?;
    let measured = rounds(|| {
        let ours = load.measure(server.address, server.process())?;
        let pure = parts::hashing_on_both(terms.slow_window)?;
        report.detail(&format!(
            "both cores: {:.1} sign-ins a second, {:.1} for each CPU-second; {:.1} hashes a \
             second, {:.1} for each CPU-second",
            ours.per_second, ours.per_cpu_second, pure.per_second, pure.per_cpu_second,
        ));
        Ok(ours.per_cpu_second / pure.per_cpu_second)
    })?;
    report.ratios("the same with both cores hashing", Target::AtLeast(0.93), &measured);
    Ok(())
}
