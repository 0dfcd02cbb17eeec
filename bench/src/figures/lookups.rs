//! Account lookups in the store, by address, with a hundred times as many accounts.

use std::time::{Duration, Instant};

use anyhow::ensure;
use ironlatch_core::Auth;
use ironlatch_core::accounts::{AccountRef, Email};

use super::{ACCOUNTS, parts, wait_for};
use crate::machine;
use crate::report::{Report, Target};
use crate::seed::{self, Seeded, Store};
use crate::terms::{ROUNDS, Terms};

/// Lookups on their way at the same time.
const AT_ONCE: usize = 16;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    // The store's own threads stay where the thread that opens it is.
    parts::aside(|| wait_for(compare(terms, report)))
}

async fn compare(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let (small, large) = (Store::embedded()?, Store::embedded()?);
    let (few, many) = (small.open().await?, large.open().await?);
    let known_few = seed::bare_accounts(&few, ACCOUNTS).await?;
    let known_many = seed::bare_accounts(&many, terms.many_accounts).await?;
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let slow = lookups(&many, &known_many, terms.window).await?;
        let fast = lookups(&few, &known_few, terms.window).await?;
        report
            .detail(&format!("{slow:.0}/s of {}, {fast:.0}/s of {ACCOUNTS}", terms.many_accounts));
        ratios.push(slow / fast);
    }
    let name = format!("lookups/s, {} accounts ÷ {ACCOUNTS}", terms.many_accounts);
    report.ratios(&name, Target::AtLeast(0.4), &ratios);
    Ok(())
}

/// Lookups a second of accounts all over the store.
async fn lookups(auth: &Auth, seeded: &Seeded, span: Duration) -> anyhow::Result<f64> {
    let start = Instant::now();
    let turn = std::cell::Cell::new(0_usize);
    let work = (0..AT_ONCE).map(|_| async {
        let mut found = 0;
        while start.elapsed() < span {
            // A stride without a common factor comes by everybody, never by neighbours.
            let at =
                turn.replace(turn.get() + 1).wrapping_mul(7_919) % seeded.accounts.len().max(1);
            let Some(account) = seeded.accounts.get(at) else { continue };
            let email = Email::parse(&account.email());
            let email = email.map_err(|problem| anyhow::anyhow!("no address: {problem:?}"))?;
            let account = auth.accounts().find(&AccountRef::Email(email)).await?;
            ensure!(account.is_some(), "an account was not found");
            found += 1;
        }
        anyhow::Ok(found)
    });
    let found: u64 = futures_util::future::try_join_all(work).await?.into_iter().sum();
    Ok(machine::per_second(found, start.elapsed()))
}
