//! The tests in a real browser: `e2e/`, with Debian's Chromium and one npm package.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::machine;

/// What the browser tests are run with.
pub(crate) struct Browser {
    node: PathBuf,
    chromium: PathBuf,
}

impl Browser {
    /// Finds or installs Node, Chromium and the packages of `e2e/`.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let chromium = program(&["chromium", "chromium-browser", "google-chrome"], &["chromium"])?;
        let node = program(&["node"], &["nodejs"])?;
        let npm = program(&["npm"], &["npm"])?;
        let mut ci = Command::new(npm);
        ci.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder());
        machine::run(&mut ci).context("the packages of e2e/ could not be installed")?;
        Ok(Self { node, chromium })
    }

    /// Runs them against the built server; answers the lines they wrote.
    pub(crate) fn run(&self) -> anyhow::Result<(bool, Vec<String>)> {
        machine::run(machine::cargo().args(["build", "--locked", "--package", "ironlatch"]))?;
        let mut script = Command::new(&self.node);
        script.arg("run.mjs").current_dir(folder());
        script.env("IRONLATCH_CHROMIUM", &self.chromium).env("IRONLATCH_BINARY", binary());
        let (status, lines) = machine::tee(&mut script)?;
        Ok((status.success(), lines))
    }
}

fn folder() -> PathBuf {
    machine::root().join("e2e")
}

/// What `cargo build` has just built, wherever it puts things.
fn binary() -> PathBuf {
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), PathBuf::from);
    machine::root().join(target).join("debug/ironlatch")
}

fn program(names: &[&str], packages: &[&str]) -> anyhow::Result<PathBuf> {
    let find = || names.iter().find_map(|name| machine::find(name));
    if let Some(found) = find() {
        return Ok(found);
    }
    machine::install(packages)?;
    match find() {
        Some(found) => Ok(found),
        None => bail!("{} is installed, but not on the path", packages.join(", ")),
    }
}
