//! The figures Ironlatch is held to, each as a ratio to what the machine could do at most.
//!
//! The measured server has one core for itself, the load the other; a ratio's two sides are
//! measured one right after the other, five times, and the median of the five ratios counts.
//! `cargo xtask bench` builds and runs this; names choose figures.

mod baseline;
mod figures;
mod load;
mod machine;
mod postgres;
mod probe;
mod report;
mod requests;
mod seed;
mod server;
mod terms;

use std::process::ExitCode;

use report::Report;
use terms::Terms;

const USAGE: &str = "\
cargo xtask bench [--quick | --full] [NAME...]

  argon2id    each form against the argon2 crate, and against the reference C code in the folder
              that IRONLATCH_ARGON2_REFERENCE names
  sign_ins    password sign-ins against pure Argon2id
  me          GET /api/auth/me against a bare handler, without and with the access log
  refreshes   durable refreshes against the limit made of their parts, on both engines
  codes       durable requests for codes and sign-ins with them, likewise, on both engines
  isolation   `me` while sign-ins flood, and the other way; peak memory
  footprint   idle memory, time to the first answer, synchronisations at the first start
  lookups     account lookups with a million accounts against ten thousand

  --quick     short windows, for trying the bench itself
  --full      30,000 probes in each state of `isolation`";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> anyhow::Result<()> {
    if arguments.first().is_some_and(|first| first == baseline::COMMAND) {
        return baseline::serve();
    }
    let (flags, names): (Vec<_>, Vec<_>) =
        arguments.iter().map(String::as_str).partition(|argument| argument.starts_with("--"));
    let known = |name: &str| figures::ALL.iter().any(|(known, _)| *known == name);
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        anyhow::bail!("`{unknown}` is no figure:\n{USAGE}");
    }
    let terms = match flags.as_slice() {
        [] => Terms::usual(),
        ["--quick"] => Terms::quick(),
        ["--full"] => Terms::full(),
        _ => anyhow::bail!("{USAGE}"),
    };

    machine::describe()?;
    machine::stay_on(machine::LOAD_CORE)?;
    let mut report = Report::default();
    for (name, measure) in figures::ALL {
        if names.is_empty() || names.contains(name) {
            report.begin(name);
            measure(&terms, &mut report)?;
        }
    }
    report.print_summary();
    Ok(())
}
