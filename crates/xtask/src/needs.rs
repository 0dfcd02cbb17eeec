//! What tests need from the machine, and what may be missing.

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::machine;

/// Collects what could not be had, to be told at the end.
pub(crate) struct Needs {
    may_be_absent: Vec<Absence>,
    missing: Vec<Missing>,
}

struct Missing {
    what: String,
    because: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    may_be_absent: Vec<Absence>,
}

/// A row of `tests/needs.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Absence {
    what: String,
    why: String,
}

impl Needs {
    /// Reads `tests/needs.toml`.
    pub(crate) fn read() -> anyhow::Result<Self> {
        let file = machine::root().join("tests/needs.toml");
        let text = std::fs::read_to_string(&file).context("tests/needs.toml cannot be read")?;
        let table: Table = toml::from_str(&text).context("tests/needs.toml")?;
        Ok(Self { may_be_absent: table.may_be_absent, missing: Vec::new() })
    }

    /// Notes that something could not be had, and what is not tested because of it.
    pub(crate) fn lack(&mut self, what: &str, because: &anyhow::Error) {
        eprintln!("missing: {what}: {because:#}");
        let because = format!("{because:#}");
        self.missing.push(Missing { what: what.to_owned(), because });
    }

    /// Tells what was not run. In CI only what `tests/needs.toml` names may be missing.
    pub(crate) fn close(&self) -> anyhow::Result<()> {
        let mut refused = Vec::new();
        for Missing { what, because } in &self.missing {
            println!("NOT RUN: what needs {what} ({because})");
            match self.may_be_absent.iter().find(|row| row.what == *what) {
                Some(row) => println!("         it may be absent: {}", row.why),
                None => refused.push(what.as_str()),
            }
        }
        if machine::is_ci() && !refused.is_empty() {
            bail!("in CI nothing may be missing: {}", refused.join(", "));
        }
        Ok(())
    }
}
