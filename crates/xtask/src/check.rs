//! `cargo xtask check`: everything that can be said about the project without running it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use anyhow::{Context, bail};

use crate::{dependencies, machine, sizes};

type Step = (&'static str, fn() -> anyhow::Result<()>);

const STEPS: [Step; 5] = [
    ("formatting", formatting),
    ("sizes", sizes::check),
    ("dependencies", dependencies::check),
    ("lints", lints),
    ("documentation", documentation),
];

/// Runs the named steps, or every one, also after one has failed, and names the failed ones.
pub(crate) fn run(only: &[String]) -> anyhow::Result<()> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|(step, _)| step != name)) {
        bail!("`{unknown}` is no step; there are {}", STEPS.map(|(name, _)| name).join(", "));
    }
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        if !(only.is_empty() || only.iter().any(|wanted| wanted == name)) {
            continue;
        }
        println!("== {name}");
        if let Err(error) = step() {
            eprintln!("{error:#}");
            failed.push(name);
        }
    }
    if failed.is_empty() {
        println!("check: everything is fine");
        return Ok(());
    }
    bail!("check failed: {}", failed.join(", "))
}

fn formatting() -> anyhow::Result<()> {
    machine::run(machine::cargo().args(["fmt", "--all", "--check"]))
}

fn documentation() -> anyhow::Result<()> {
    let mut cargo = machine::cargo();
    cargo.args(["doc", "--locked", "--workspace", "--no-deps", "--quiet"]);
    machine::run(cargo.env("RUSTDOCFLAGS", "-D warnings"))
}

/// Denied lints fail; the pedantic ones are warnings, of which only the number is told.
fn lints() -> anyhow::Result<()> {
    let mut cargo = machine::cargo();
    cargo.args(["clippy", "--locked", "--workspace", "--all-targets", "--keep-going"]);
    cargo.args(["--message-format", "json"]);
    println!("$ cargo clippy --workspace --all-targets");
    let mut child = cargo.stdout(Stdio::piped()).spawn().context("cannot run cargo clippy")?;
    let mut warnings = std::collections::BTreeSet::new();
    if let Some(pipe) = child.stdout.take() {
        for line in BufReader::new(pipe).lines() {
            let message: serde_json::Value = serde_json::from_str(&line?).unwrap_or_default();
            let text = message.pointer("/message/rendered").and_then(|text| text.as_str());
            match (message.pointer("/message/level").and_then(|level| level.as_str()), text) {
                (Some("error"), Some(text)) => eprintln!("{text}"),
                // A set: a library's warnings come again with its tests.
                (Some("warning"), Some(text))
                    if message.pointer("/message/code/code").is_some() =>
                {
                    warnings.insert(text.to_owned());
                }
                _ => {}
            }
        }
    }
    let status = child.wait()?;
    println!("{} warnings; `cargo clippy --workspace --all-targets` shows them", warnings.len());
    if !status.success() {
        bail!("clippy found what the project forbids");
    }
    Ok(())
}
