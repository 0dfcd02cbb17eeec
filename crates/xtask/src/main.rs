//! The project's own chores, the same on a laptop and in CI.
//!
//! `cargo xtask check` looks without running; `cargo xtask test` runs everything, and finds or
//! starts what the tests need; `cargo xtask bench` measures a release build.

mod browser;
mod check;
mod dependencies;
mod machine;
mod needs;
mod postgres;
mod sizes;
mod test;

use std::process::{Command, ExitCode};

const USAGE: &str = "\
cargo xtask check [STEP...]   formatting, sizes, dependencies, lints, documentation
cargo xtask test [FILTER...]  every test, on both engines and in the browser
cargo xtask crash [CYCLES]    kills the server while it writes, 200 times an engine by default
cargo xtask races [ROUNDS]    what works once, raced by fifty, 1,000 rounds by default
cargo xtask bench [ARG...]    the figures of `bench/`, from a release build";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.split_first() {
        Some((command, rest)) => run(command, rest),
        None => Err(anyhow::anyhow!("say what to do:\n{USAGE}")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: &str, rest: &[String]) -> anyhow::Result<()> {
    match command {
        "check" => check::run(rest),
        "test" => test::run(rest),
        "crash" => crash(rest),
        "races" => races(rest),
        "bench" => bench(rest),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            Ok(())
        }
        other => Err(anyhow::anyhow!("`{other}` is no chore:\n{USAGE}")),
    }
}

/// R01 with as many cycles as there is time for; CI runs twenty.
fn crash(rest: &[String]) -> anyhow::Result<()> {
    let cycles = rest.first().map_or("200", String::as_str);
    let mut cargo = machine::cargo();
    cargo.args(["test", "--locked", "--package", "ironlatch", "--test", "all", "crash"]);
    cargo.args(["--", "--nocapture"]).env("IRONLATCH_CRASH_CYCLES", cycles);
    machine::run(&mut cargo)
}

/// The races of `once_only.rs` with as many rounds as there is time for; CI runs 100.
fn races(rest: &[String]) -> anyhow::Result<()> {
    let rounds = rest.first().map_or("1000", String::as_str);
    let mut cargo = machine::cargo();
    cargo.args(["test", "--locked", "--package", "ironlatch-core", "--test", "all"]);
    cargo.args(["once_only", "--", "--nocapture", "--test-threads", "1"]);
    machine::run(cargo.env("IRONLATCH_RACE_ROUNDS", rounds))?;
    let mut cargo = machine::cargo();
    cargo.args(["test", "--locked", "--package", "ironlatch-core", "--lib"]);
    cargo.args(["linking::tests::races", "--", "--nocapture", "--test-threads", "1"]);
    machine::run(cargo.env("IRONLATCH_RACE_ROUNDS", rounds))
}

fn bench(rest: &[String]) -> anyhow::Result<()> {
    // The bench runs the server it finds beside itself.
    let packages = ["--package", "ironlatch", "--package", "ironlatch-bench"];
    machine::run(machine::cargo().args(["build", "--release", "--locked"]).args(packages))?;
    machine::run(Command::new(machine::target_folder().join("release/ironlatch-bench")).args(rest))
}
