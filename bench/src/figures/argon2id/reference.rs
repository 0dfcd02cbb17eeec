//! The reference C code, compiled for this very processor from sources that are not kept here,
//! and run as a process of its own that is asked line by line (`bench/reference/hashes.c`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;

use super::contestants::{Costs, Done};
use crate::machine;
use crate::seed::PASSWORD;

/// Names the folder of the reference implementation (phc-winner-argon2), unpacked.
pub(crate) const SOURCES: &str = "IRONLATCH_ARGON2_REFERENCE";
const CALLER: &str = include_str!("../../../reference/hashes.c");

/// The program, compiled.
pub(crate) struct Compiled {
    folder: TempDir,
}

impl Compiled {
    /// As its own makefile would, with the system's compiler; nothing when no sources are named.
    pub(crate) fn from_environment() -> anyhow::Result<Option<Self>> {
        let Some(sources) = std::env::var_os(SOURCES).map(PathBuf::from) else { return Ok(None) };
        let folder = tempfile::tempdir()?;
        let caller = folder.path().join("hashes.c");
        std::fs::write(&caller, CALLER)?;
        let mut compiler = Command::new("cc");
        compiler.args(["-O3", "-march=native", "-pthread", "-o"]).arg(program(folder.path()));
        for headers in ["include", "src"] {
            compiler.arg("-I").arg(sources.join(headers));
        }
        compiler.arg(&caller);
        // `opt.c` is the one with vectors.
        for file in ["argon2", "core", "thread", "encoding", "opt", "blake2/blake2b"] {
            compiler.arg(sources.join("src").join(file).with_extension("c"));
        }
        let status = compiler.status().context("cannot run the C compiler `cc`")?;
        ensure!(status.success(), "{} in {SOURCES} cannot be compiled", sources.display());
        Ok(Some(Self { folder }))
    }

    /// Starts it on the calling thread's cores.
    pub(crate) fn start(&self) -> anyhow::Result<Reference> {
        let mut command = Command::new(program(self.folder.path()));
        let mut child =
            command.arg(PASSWORD).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let (input, output) = child.stdin.take().zip(child.stdout.take()).context("no pipes")?;
        Ok(Reference { child, input, output: BufReader::new(output) })
    }
}

fn program(folder: &Path) -> PathBuf {
    folder.join("hashes")
}

/// A process that hashes when asked; it ends when this is dropped.
pub(crate) struct Reference {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Reference {
    /// Hashes for a while.
    pub(crate) fn hash(&mut self, costs: Costs, span: Duration) -> anyhow::Result<Done> {
        let Costs { memory_kib, passes, lanes, threads } = costs;
        let milliseconds = span.as_millis();
        writeln!(self.input, "{memory_kib} {passes} {lanes} {threads} {milliseconds}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let &[hashes, elapsed, spent, tag] = line.split_whitespace().collect::<Vec<_>>().as_slice()
        else {
            bail!("the reference refuses {costs:?}");
        };
        let hashes = hashes.parse()?;
        let nanoseconds = |text: &str| text.parse().map(Duration::from_nanos);
        Ok(Done {
            per_second: machine::per_second(hashes, nanoseconds(elapsed)?),
            per_cpu_second: machine::per_second(hashes, nanoseconds(spent)?),
            tag: bytes(tag).context("the reference gives no tag")?,
        })
    }
}

impl Drop for Reference {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn bytes(hex: &str) -> Option<[u8; 32]> {
    let pairs =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok());
    pairs.collect::<Option<Vec<_>>>()?.try_into().ok()
}
