//! Durable requests for codes, and durable sign-ins with them, a second with 64 clients: against
//! the limit made of their parts, and against the same rows written directly and nothing else.

mod asked;
mod direct;
mod verified;

use std::sync::Arc;

use anyhow::Context as _;
use ironlatch_core::ports::{Clock as _, Random, SystemClock, SystemRandom};
use ironlatch_core::time::Timestamp;

use super::parts;
use super::refreshes::{CLIENTS, Write};
use crate::baseline::Baseline;
use crate::load::{Load, Waiting};
use crate::postgres::Postgres;
use crate::report::{Report, Target, rounds};
use crate::requests::Requests;
use crate::seed::Store;
use crate::server::{Server, Wish};
use crate::terms::Terms;
use direct::Direct;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        asked::measure(terms, report, engine)?;
        verified::measure(terms, report, engine)?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum Engine {
    Sqlite,
    Postgres,
}

/// A store for the server, and its copy for what is written without one.
struct Site {
    store: Store,
    postgres: Option<Postgres>,
}

impl Site {
    fn new(engine: Engine) -> anyhow::Result<Self> {
        Ok(match engine {
            Engine::Sqlite => Self { store: Store::embedded()?, postgres: None },
            Engine::Postgres => {
                let postgres = Postgres::start()?;
                Self { store: Store::at(&postgres.url())?, postgres: Some(postgres) }
            }
        })
    }

    /// Copies what has been put into the store; nobody may be using it.
    fn copied(&self) -> anyhow::Result<Direct> {
        if let Some(postgres) = &self.postgres {
            return Ok(Direct::Postgres(postgres.copied()?));
        }
        let file = self.store.folder().join("parts.db");
        super::wait_for(async {
            let auth = self.store.open().await?;
            Ok(auth.database().backup(&file).await?)
        })?;
        Direct::sqlite(&file)
    }
}

/// What is measured, beside its writes.
struct Subject<'a> {
    name: &'a str,
    site: &'a Site,
    wish: Wish,
    requests: Arc<Requests>,
    /// What is signed and digested for one answer.
    signatures: f64,
    macs: f64,
}

fn compare(
    terms: &Terms,
    report: &mut Report,
    subject: &Subject<'_>,
    write: &mut Write<'_>,
) -> anyhow::Result<()> {
    let server = Server::start(&subject.site.store, subject.wish)?;
    let request = subject.requests.next();
    let baseline = Baseline::start(request, &server.ask(request)?)?;
    let load = Load {
        requests: &subject.requests,
        clients: CLIENTS,
        waiting: Waiting::Awake,
        warm_up: terms.warm_up,
        window: terms.window,
    };
    let bare = Arc::new(subject.requests.anew());
    let measured = rounds(|| {
        let ours = load.measure(server.address, server.process()).with_context(|| {
            let again =
                if subject.requests.are_used_up() { ", each sent at least once" } else { "" };
            format!("loading with {}{again}", subject.name)
        })?;
        let bare = Load { requests: &bare, ..load };
        let request = 1.0 / bare.measure(baseline.address, baseline.process())?.per_cpu_second;
        let signature = parts::signature(terms.window / 5)?;
        let mac = parts::mac(terms.window / 5)?;
        let written = write(terms.window)?;
        let digested = subject.signatures * signature + subject.macs * mac;
        let limit = 1.0 / (request + digested + written);
        report.detail(&format!(
            "{:.0}/s of {limit:.0}/s; µs: request {:.1}, signature and MACs {:.1}, writes {:.1}; \
             ours on the processor {:.1}",
            ours.per_second,
            request * 1e6,
            digested * 1e6,
            written * 1e6,
            1e6 / ours.per_cpu_second
        ));
        Ok((ours.per_second / limit, ours.per_second * written))
    })?;
    let (of_limit, of_writes): (Vec<f64>, Vec<f64>) = measured.into_iter().unzip();
    let name = subject.name;
    report.ratios(&format!("{name} ÷ limit of their parts"), Target::Nothing, &of_limit);
    report.ratios(&format!("{name} ÷ their writes alone"), Target::Nothing, &of_writes);
    Ok(())
}

fn now() -> Timestamp {
    SystemClock.now()
}

/// Bytes that are as unlikely to come twice as those of a digest.
fn random<const N: usize>() -> [u8; N] {
    let random: &dyn Random = &SystemRandom;
    random.bytes()
}
