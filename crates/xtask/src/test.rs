//! `cargo xtask test`: every test, the same on a laptop and in CI.
//!
//! What tests need from the machine is found, started or installed first; what could not be
//! had is told at the end.

use anyhow::bail;

use crate::browser::{Browser, Node};
use crate::machine;
use crate::needs::Needs;
use crate::postgres::{self, Postgres};

/// How many tests went which way.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    passed: u64,
    failed: u64,
}

/// Runs the tests whose names hold one of the filters; without one, all of them.
pub(crate) fn run(filters: &[String]) -> anyhow::Result<()> {
    let mut needs = Needs::read()?;
    let postgres = match Postgres::find_or_start() {
        Ok(server) => Some(server),
        Err(error) => {
            needs.lack("PostgreSQL", &error);
            None
        }
    };
    // Records what the embedded database writes, for the tests of power cuts.
    if machine::find("strace").is_none()
        && let Err(error) = machine::install(&["strace"])
    {
        needs.lack("strace", &error);
    }
    let (rust_passed, closing, mut total) = run_rust_tests(filters, postgres.as_ref())?;
    drop(postgres);

    let mut scripts_passed = true;
    if filters.is_empty() {
        let mut count = |what: &str, (passed, lines): (bool, Vec<String>)| {
            let tally = tally(&lines);
            println!("{what}: {} passed, {} failed", tally.passed, tally.failed);
            let passed = passed && tally.failed == 0;
            total.passed += tally.passed;
            total.failed += tally.failed.max(u64::from(!passed));
            scripts_passed &= passed;
        };
        match Node::prepare() {
            Ok(node) => {
                count("clients of other systems", node.run_clients()?);
                match Browser::prepare(node) {
                    Ok(browser) => count("in the browser", browser.run()?),
                    Err(error) => needs.lack("Chromium", &error),
                }
            }
            Err(error) => needs.lack("Node", &error),
        }
    }

    let complete = needs.close();
    for line in closing {
        println!("{line}");
    }
    println!("{} passed, {} failed", total.passed, total.failed);
    complete?;
    if !(rust_passed && scripts_passed) {
        bail!("tests failed");
    }
    Ok(())
}

/// Runs the Rust tests; answers whether all passed, the runner's closing lines, and the tally.
fn run_rust_tests(
    filters: &[String],
    postgres: Option<&Postgres>,
) -> anyhow::Result<(bool, Vec<String>, Tally)> {
    let mut cargo = machine::cargo();
    if machine::find("cargo-nextest").is_some() {
        cargo.args(["nextest", "run", "--locked", "--workspace", "--no-fail-fast"]).args(filters);
    } else {
        cargo.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
        // `cargo test` takes one filter before `--` and any number after it.
        cargo.arg("--").args(filters);
    }
    if let Some(server) = postgres {
        cargo.env(postgres::VARIABLE, server.url());
    }
    let (status, lines) = machine::tee(&mut cargo)?;
    let mut tally = tally(&lines);
    if !status.success() {
        // A build that fails, or a test that kills its process, is not in the runner's count.
        tally.failed = tally.failed.max(1);
    }
    Ok((status.success(), closing_lines(&lines), tally))
}

/// The lines by which a runner ends: nextest's summary, or `cargo test`'s results.
fn closing_lines(lines: &[String]) -> Vec<String> {
    let is_summary = |line: &&String| line.trim_start().starts_with("Summary [");
    let summary = lines.iter().rposition(|line| is_summary(&line));
    match summary {
        Some(at) => lines.iter().skip(at).take(20).cloned().collect(),
        None => lines.iter().filter(|line| line.starts_with("test result:")).cloned().collect(),
    }
}

/// Reads the counts of nextest (`Summary […] 3 tests run: 2 passed, 1 failed`), of `cargo test`
/// (`test result: ok. 3 passed; 0 failed; …`, once for each binary) and of the scripts
/// (`3 passed, 0 failed`).
fn tally(lines: &[String]) -> Tally {
    // Under nextest, `test result:` is the output of a single test that failed.
    let is_nextest = lines.iter().any(|line| line.trim_start().starts_with("Summary ["));
    let mut tally = Tally::default();
    for line in lines {
        let line = line.trim();
        if is_nextest && !line.starts_with("Summary [") {
            continue;
        }
        let counts = if line.starts_with("Summary [") {
            line.split_once(" run:").map(|(_, counts)| counts)
        } else if let Some((_, counts)) = line.split_once("test result:") {
            counts.split_once(". ").map(|(_, counts)| counts)
        } else {
            line.ends_with(" failed").then_some(line)
        };
        for count in counts.unwrap_or_default().split([',', ';', '(']) {
            let mut words = count.split_whitespace();
            let number = words.next().and_then(|word| word.parse::<u64>().ok()).unwrap_or_default();
            match words.next() {
                Some("passed") => tally.passed += number,
                Some("failed" | "timed" | "exec") => tally.failed += number,
                _ => {}
            }
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn counts_of_every_runner_are_read() {
        let nextest =
            "     Summary [   1.2s] 7 tests run: 4 passed (1 slow), 2 failed, 1 timed out";
        let failure = format!("test result: FAILED. 0 passed; 1 failed\n{nextest}");
        assert_eq!(tally(&lines(&failure)), Tally { passed: 4, failed: 3 });
        let cargo = "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured\n\
                     test result: FAILED. 1 passed; 2 failed; 0 ignored";
        assert_eq!(tally(&lines(cargo)), Tally { passed: 4, failed: 2 });
        assert_eq!(tally(&lines("11 passed, 1 failed")), Tally { passed: 11, failed: 1 });
    }

    #[test]
    fn one_test_is_counted_too() {
        let one = "Summary [   0.003s] 1 test run: 1 passed, 4 skipped";
        assert_eq!(tally(&lines(one)), Tally { passed: 1, failed: 0 });
    }

    #[test]
    fn the_summary_and_what_follows_it_close_a_run() {
        let text = lines("PASS a\n  Summary [0.1s] 1 test run: 0 passed, 1 failed\n  FAIL a b");
        assert_eq!(closing_lines(&text).len(), 2);
    }
}
