//! `ironlatch doctor`: looks at everything once and says how it is.

pub(crate) mod advice;

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use ironlatch_core::credentials::password::{Costs, form, hashes_per_second};
use ironlatch_core::settings::PasswordSettings;

use crate::master_key;
use crate::opening::Opening;

/// How long a speed is measured.
const SPAN: Duration = Duration::from_millis(200);
/// What hashing on all cores may take of the memory while it is measured.
const MOST_MEMORY_KIB: usize = 1_048_576;

/// Says what is there; fails when something is wrong.
pub(crate) async fn examine(opening: &Opening, target: Option<Duration>) -> anyhow::Result<()> {
    println!("version       {}", env!("CARGO_PKG_VERSION"));
    println!("listens on    {}", opening.settings.listen);
    println!("public URL    {}", opening.settings.core.public_url);
    let passwords = &opening.settings.core.passwords;
    hashing(passwords)?;
    if let Some(target) = target {
        what_fits(target, passwords)?;
    }
    let auth = opening.for_command().await?;
    for (name, value) in auth.database().describe().await? {
        println!("{name:<13} {value}");
    }
    println!("master key    {} (fits)", master_key::path(&opening.configuration).display());
    auth.sessions().catch_up().await?;
    ensure!(auth.is_ready().await, "not ready: this machine's clock is 5 s off the database's");
    Ok(())
}

/// How fast, on one core and on all.
fn hashing(passwords: &PasswordSettings) -> anyhow::Result<()> {
    let costs = Costs::from(passwords);
    println!("hashing       Argon2id, {} form; {costs}", form());
    let one = hashes_per_second(costs, 1, SPAN)?;
    println!("one core      {one:.1} hashes a second, {:.1} ms each", 1_000.0 / one);
    let cores = std::thread::available_parallelism()?.get();
    let most = MOST_MEMORY_KIB / usize::try_from(costs.memory_kib)?.max(1);
    let threads = cores.min(most.max(1));
    let all = hashes_per_second(costs, threads, SPAN)?;
    println!("{:<13} {all:.1} hashes a second", format!("{threads} of {cores}"));
    println!("slots         {}: so many are hashed at a time", passwords.slots);
    Ok(())
}

/// Measures what is advised, and suggests the most that fits.
fn what_fits(target: Duration, passwords: &PasswordSettings) -> anyhow::Result<()> {
    println!("target        {}, on one core as busy as it is now:", milliseconds(target));
    let configured = ("as configured", Costs::from(passwords));
    let owasp = advice::owasp().map(|costs| ("OWASP's least", costs));
    let rfc = ("RFC 9106, second choice", advice::RFC_SECOND);
    let mut times = Times::default();
    for (whose, costs) in std::iter::once(configured).chain(owasp).chain([rfc]) {
        let took = times.of(costs)?;
        let verdict = if took <= target { "fits" } else { "too long" };
        let (costs, took) = (costs.to_string(), milliseconds(took));
        println!("  {costs:<20} {took:>9}  {verdict:<8}  {whose}");
    }
    let Some((costs, took)) = advice::suggestion(target, |costs| times.of(costs))? else {
        bail!(
            "nothing as strong as OWASP's least fits {} here: choose a longer target",
            milliseconds(target)
        );
    };
    println!("suggestion    argon2_memory_kib = {}", costs.memory_kib);
    println!("              argon2_passes = {}", costs.passes);
    println!("              argon2_lanes = {}", costs.lanes);
    let memory = u64::from(costs.memory_kib) * u64::try_from(passwords.slots)?;
    let (took, memory) = (milliseconds(took), memory.div_ceil(1_024));
    println!("              {took} a hash, {memory} MiB for all slots ({})", passwords.slots);
    Ok(())
}

/// What hashes take, each measured once: a table and what follows from it are of one mind.
#[derive(Default)]
struct Times(Vec<(Costs, Duration)>);

impl Times {
    fn of(&mut self, costs: Costs) -> anyhow::Result<Duration> {
        if let Some((_, took)) = self.0.iter().find(|(known, _)| *known == costs) {
            return Ok(*took);
        }
        let rate = hashes_per_second(costs, 1, SPAN)?;
        let took = Duration::try_from_secs_f64(1.0 / rate).context("a hash has no time")?;
        self.0.push((costs, took));
        Ok(took)
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1_000.0)
}
