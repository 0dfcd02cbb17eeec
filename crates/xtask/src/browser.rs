//! The scripts of `e2e/`: the clients of other systems, by Node alone; and a real browser,
//! Debian's Chromium. Both sign in at providers that run beside the server, one of them from npm.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use crate::machine;

/// What the browser tests are run with.
pub(crate) struct Browser {
    node: Node,
    chromium: PathBuf,
}

impl Browser {
    /// Finds or installs Chromium.
    pub(crate) fn prepare(node: Node) -> anyhow::Result<Self> {
        let chromium = program(&["chromium", "chromium-browser", "google-chrome"], &["chromium"])?;
        Ok(Self { node, chromium })
    }

    /// Runs them against the built server; answers the lines they wrote.
    pub(crate) fn run(&self) -> anyhow::Result<(bool, Vec<String>)> {
        let mut script = self.node.script("run.mjs")?;
        script.env("IRONLATCH_CHROMIUM", &self.chromium);
        let (status, lines) = machine::tee(&mut script)?;
        Ok((status.success(), lines))
    }
}

/// Node with the packages of `e2e/`, and what acts as the clients of other systems do:
/// `e2e/clients.mjs`.
pub(crate) struct Node(PathBuf);

impl Node {
    /// Finds or installs it, and the packages.
    pub(crate) fn prepare() -> anyhow::Result<Self> {
        let node = program(&["node"], &["nodejs"])?;
        let npm = program(&["npm"], &["npm"])?;
        let mut ci = Command::new(npm);
        ci.args(["ci", "--no-audit", "--no-fund"]).current_dir(folder());
        machine::run(&mut ci).context("the packages of e2e/ could not be installed")?;
        Ok(Self(node))
    }

    /// Runs the clients against the built server; answers the lines they wrote.
    pub(crate) fn run_clients(&self) -> anyhow::Result<(bool, Vec<String>)> {
        let (status, lines) = machine::tee(&mut self.script("clients.mjs")?)?;
        Ok((status.success(), lines))
    }

    /// A script of `e2e/`, and the server that it is about.
    fn script(&self, name: &str) -> anyhow::Result<Command> {
        machine::run(machine::cargo().args(["build", "--locked", "--package", "ironlatch"]))?;
        let mut script = Command::new(&self.0);
        script.arg(name).current_dir(folder()).env("IRONLATCH_BINARY", binary());
        Ok(script)
    }
}

fn folder() -> PathBuf {
    machine::root().join("e2e")
}

/// What `cargo build` has just built.
fn binary() -> PathBuf {
    machine::target_folder().join("debug/ironlatch")
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
