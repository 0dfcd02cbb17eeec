//! What may come into the house: bans, licences and security floors.
//!
//! `cargo deny` does this and knows the advisories too; where it is not installed, the part
//! that needs no network is done here. `deny.toml` and the lists below say the same.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::machine;

/// One cryptography provider, no OpenSSL, and nothing that pins an old SQLite.
const BANNED: [&str; 5] = ["ring", "openssl-sys", "openssl", "native-tls", "sqlx"];

/// Versions below these have known holes (the reason stands in `deny.toml`).
const FLOORS: [(&str, [u64; 3]); 7] = [
    ("tokio-postgres", [0, 7, 18]),
    ("postgres-protocol", [0, 6, 12]),
    ("bcrypt", [0, 19, 2]),
    ("h2", [0, 4, 16]),
    ("rustls-webpki", [0, 103, 13]),
    ("aws-lc-sys", [0, 39, 0]),
    ("lettre", [0, 11, 22]),
];

/// A package that is compiled for this platform.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    license: String,
    from_git: bool,
}

#[derive(Deserialize)]
struct Deny {
    licenses: Licenses,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

/// Runs `cargo deny`, or our own part of it.
pub(crate) fn check() -> anyhow::Result<()> {
    if machine::find("cargo-deny").is_some() {
        return machine::run(machine::cargo().args(["deny", "--all-features", "check"]));
    }
    println!(
        "cargo-deny is not installed: advisories are NOT checked; bans, licences and floors are"
    );
    let text = std::fs::read_to_string(machine::root().join("deny.toml"))?;
    let deny: Deny = toml::from_str(&text).context("deny.toml")?;
    let packages = packages()?;
    let complaints = complaints(&packages, &deny.licenses.allow);
    if complaints.is_empty() {
        println!("{} packages are fine", packages.len());
        return Ok(());
    }
    bail!("{}", complaints.join("\n"))
}

/// What is compiled here. `cargo tree` knows which optional dependencies are on; the lock file
/// and `cargo metadata` also name those that are not.
fn packages() -> anyhow::Result<BTreeSet<Package>> {
    let mut cargo = machine::cargo();
    cargo.args(["tree", "--locked", "--workspace", "--edges", "normal,build,dev"]);
    let lines = machine::read(cargo.args(["--prefix", "none", "--format", "{p}\t{l}"]))?;
    Ok(lines.lines().filter_map(package).collect())
}

/// Reads `name v1.2.3 (proc-macro)⇥MIT (*)`.
fn package(line: &str) -> Option<Package> {
    let (package, license) = line.split_once('\t')?;
    let mut words = package.split_whitespace();
    Some(Package {
        name: words.next()?.to_owned(),
        version: words.next()?.trim_start_matches('v').to_owned(),
        license: license.trim_end_matches("(*)").trim().to_owned(),
        from_git: package.contains("(http") || package.contains("(git"),
    })
}

fn complaints(packages: &BTreeSet<Package>, allowed: &BTreeSet<String>) -> Vec<String> {
    let floors: BTreeMap<_, _> = FLOORS.into_iter().collect();
    let mut complaints = Vec::new();
    for Package { name, version, license, from_git } in packages {
        if BANNED.contains(&name.as_str()) {
            complaints.push(format!("{name} {version} is banned"));
        }
        if floors.get(name.as_str()).is_some_and(|floor| numbers(version) < *floor) {
            complaints.push(format!("{name} {version} has a known hole; see deny.toml"));
        }
        if *from_git {
            complaints.push(format!("{name} {version} does not come from a registry"));
        }
        if !is_allowed(license, allowed) {
            complaints.push(format!("{name} {version} has the licence \"{license}\""));
        }
    }
    complaints
}

fn numbers(version: &str) -> [u64; 3] {
    let plain = version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = plain.split('.').map(|part| part.parse().unwrap_or_default());
    std::array::from_fn(|_| parts.next().unwrap_or_default())
}

/// Whether an SPDX expression can be met with allowed licences: `OR` binds weaker than `AND`,
/// `WITH` belongs to its licence, and the old `MIT/Apache-2.0` means `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any(&mut words, allowed) == Some(true) && words.peek().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

/// `None` when the expression ends too early.
fn any(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut verdict = all(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        verdict |= all(words, allowed)?;
    }
    Some(verdict)
}

fn all(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut verdict = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words, allowed)?;
    }
    Some(verdict)
}

fn one(words: &mut Words<'_>, allowed: &BTreeSet<String>) -> Option<bool> {
    let name = words.next()?;
    if name == "(" {
        let verdict = any(words, allowed)?;
        return words.next_if_eq(&")").map(|_| verdict);
    }
    let exception = words.next_if_eq(&"WITH").and_then(|_| words.next());
    let with = exception.is_some_and(|rest| allowed.contains(&format!("{name} WITH {rest}")));
    Some(with || (exception.is_none() && allowed.contains(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed() -> BTreeSet<String> {
        ["MIT", "Apache-2.0", "BSD-3-Clause"].map(str::to_owned).into()
    }

    #[test]
    fn licences_are_read_as_expressions() {
        for fine in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "(MIT OR GPL-2.0) AND Apache-2.0"] {
            assert!(is_allowed(fine, &allowed()), "{fine}");
        }
        for refused in ["GPL-3.0", "MIT AND GPL-3.0", "", "MIT OR", "(MIT", "none"] {
            assert!(!is_allowed(refused, &allowed()), "{refused}");
        }
    }

    #[test]
    fn banned_holed_and_unlicensed_packages_are_named() {
        let lines = [
            "ring v0.17.0\tMIT",
            "h2 v0.4.15\tMIT",
            "h2 v0.4.16\tMIT (*)",
            "stray v1.0.0 (proc-macro)\tAGPL-3.0",
            "fork v1.0.0 (https://example.invalid/fork#0123)\tMIT",
        ];
        let packages = lines.into_iter().filter_map(package).collect();
        assert_eq!(complaints(&packages, &allowed()).len(), 4);
    }
}
