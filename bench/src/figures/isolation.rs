//! Whether a flood of one kind slows another kind down: `me` while sign-ins flood, sign-ins
//! while `me` floods, and the memory a flood of sign-ins takes.

use ironlatch_core::settings::PasswordSettings;

use super::sign_ins::CLIENTS;
use super::{Population, parts};
use crate::load::{Flood, Waiting, look};
use crate::machine;
use crate::probe::{self, p99};
use crate::report::{Report, Target, median, rounds};
use crate::server::{Server, Wish};
use crate::terms::Terms;

/// Sign-ins that wait while `me` floods: few enough that none waits longer than the hash gate
/// lets anybody wait at a twentieth of its speed.
const PATIENT: usize = 16;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let population = Population::new()?;
    let server = Server::start(&population.store, Wish::default())?;
    std::thread::sleep(terms.idle / 5);
    let idle = machine::resident_memory(server.process())?;

    while_sign_ins_flood(terms, report, &population, &server)?;

    let peak = machine::peak_memory(server.process())?;
    let block = f64::from(PasswordSettings::default().argon2_memory_kib) / 1_024.0;
    report.figure(
        "peak memory above idle, MiB",
        // The server sees one core, so it has one slot.
        Target::AtMost(block + 32.0),
        peak - idle,
        &format!("{idle:.1} idle, {peak:.1} at most; 1 slot × {block:.0} + 32"),
    );
    while_me_floods(terms, report, &population, &server)
}

/// What one round saw.
struct Round {
    alone: f64,
    flooded: f64,
    sign_ins: f64,
}

fn while_sign_ins_flood(
    terms: &Terms,
    report: &mut Report,
    population: &Population,
    server: &Server,
) -> anyhow::Result<()> {
    let measured = rounds(|| {
        let alone = p99(&probe::run(server.address, &population.me, terms.probes)?);
        let pure = parts::hashing(terms.slow_window)?.per_second();

        let flood = Flood::start(server.address, CLIENTS, &population.sign_ins, Waiting::Asleep)?;
        std::thread::sleep(terms.warm_up);
        let (begun, before) = (std::time::Instant::now(), flood.answered());
        let flooded = p99(&probe::run(server.address, &population.me, terms.probes)?);
        let signed_in = machine::per_second(flood.answered() - before, begun.elapsed());
        // A machine that does other things hashes too slowly for some; they are told so.
        let turned_away = flood.stop()?;

        report.detail(&format!(
            "p99 {alone:.3} ms alone, {flooded:.3} ms flooded; {signed_in:.1} sign-ins/s of \
             {pure:.1} (other answers: {turned_away:?})"
        ));
        Ok(Round { alone, flooded, sign_ins: signed_in / pure })
    })?;
    let each = |what: fn(&Round) -> f64| measured.iter().map(what).collect::<Vec<_>>();
    report.ratios(
        "p99 of me while sign-ins flood ÷ alone",
        Target::AtMost(1.5),
        &each(|round| round.flooded / round.alone),
    );
    let (alone, flooded) = (each(|round| round.alone), each(|round| round.flooded));
    let how = format!("{} probes a round; {:.3} ms alone", terms.probes, median(&alone));
    report.figure(
        "p99 of me while sign-ins flood, ms",
        Target::AtMost(1.0),
        median(&flooded),
        &how,
    );
    report.ratios(
        "sign-ins meanwhile ÷ pure Argon2id",
        Target::AtLeast(0.95),
        &each(|round| round.sign_ins),
    );
    Ok(())
}

fn while_me_floods(
    terms: &Terms,
    report: &mut Report,
    population: &Population,
    server: &Server,
) -> anyhow::Result<()> {
    let measured = rounds(|| {
        let pure = parts::hashing(terms.slow_window)?.per_second();
        let flood = Flood::start(server.address, CLIENTS, &population.me, Waiting::Asleep)?;
        let patient = Flood::start(server.address, PATIENT, &population.sign_ins, Waiting::Asleep)?;
        std::thread::sleep(terms.warm_up);
        let signed_in = look(&patient, server.process(), terms.slow_window)?.per_second;
        let turned_away = patient.stop()?;
        flood.stop()?;
        report.detail(&format!(
            "{signed_in:.1} sign-ins/s of {pure:.1} (other answers: {turned_away:?})"
        ));
        Ok(signed_in / pure)
    })?;
    report.ratios("sign-ins while me floods ÷ pure Argon2id", Target::AtLeast(0.05), &measured);
    Ok(())
}
