//! The machine underneath: cores, processor time, memory.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Where whatever is measured runs.
pub(crate) const SERVER_CORE: usize = 0;
/// Where the load and this program run.
pub(crate) const LOAD_CORE: usize = 1;
/// For what is measured on both.
pub(crate) const BOTH_CORES: [usize; 2] = [SERVER_CORE, LOAD_CORE];

/// Prints what the figures were measured on.
pub(crate) fn describe() -> anyhow::Result<()> {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("an unknown processor", |(_, name)| name);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let cores = std::thread::available_parallelism()?;
    println!("{model}, {cores} cores, Linux {}", kernel.trim());
    ensure!(cores.get() >= 2, "the measured server and the load need a core each");
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().and_then(|first| first.parse::<f64>().ok()).unwrap_or(0.0);
    if load > 0.3 {
        println!("WARNING: the machine is busy (load {load}): figures will suffer");
    }
    if is_in_memory(&std::env::temp_dir()) {
        println!("WARNING: the temporary folder is in memory: set TMPDIR to a folder on a disk");
    }
    Ok(())
}

/// Whether files in a folder are no files of a disk.
fn is_in_memory(folder: &Path) -> bool {
    const TMPFS: i128 = 0x0102_1994;
    rustix::fs::statfs(folder).is_ok_and(|found| i128::from(found.f_type) == TMPFS)
}

/// Keeps the calling thread, and threads and processes it starts, on one core.
pub(crate) fn stay_on(core: usize) -> anyhow::Result<()> {
    stay_among(&[core])
}

/// Keeps the calling thread, and threads and processes it starts, on some cores.
pub(crate) fn stay_among(cores: &[usize]) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    for &core in cores {
        set.set(core);
    }
    sched_setaffinity(None, &set).context("cannot stay on these cores")
}

/// Runs something, and starts whatever it starts, on the server's core.
pub(crate) fn on_server_core<T>(run: impl FnOnce() -> T) -> anyhow::Result<T> {
    among(&[SERVER_CORE], run)
}

/// Runs something, and starts whatever it starts, on some cores.
pub(crate) fn among<T>(cores: &[usize], run: impl FnOnce() -> T) -> anyhow::Result<T> {
    let before = sched_getaffinity(None)?;
    stay_among(cores)?;
    let outcome = run();
    sched_setaffinity(None, &before)?;
    Ok(outcome)
}

/// Processor time that the threads of a process have used which it has now.
pub(crate) fn cpu_time(process: u32) -> anyhow::Result<Duration> {
    let mut spent = Duration::ZERO;
    for thread in std::fs::read_dir(format!("/proc/{process}/task"))? {
        // One that ended meanwhile is looked at no more.
        if let Ok(times) = std::fs::read_to_string(thread?.path().join("schedstat")) {
            spent += spent_of(&times)?;
        }
    }
    Ok(spent)
}

/// Processor time the calling thread has used.
pub(crate) fn thread_cpu_time() -> anyhow::Result<Duration> {
    spent_of(&std::fs::read_to_string("/proc/thread-self/schedstat")?)
}

/// The first of three numbers, in nanoseconds: exact, unlike the ticks of `/proc/PID/stat`.
fn spent_of(schedstat: &str) -> anyhow::Result<Duration> {
    let nanos = schedstat.split(' ').next().and_then(|first| first.parse().ok());
    Ok(Duration::from_nanos(nanos.context("a schedstat file holds no times")?))
}

/// Memory that is the process's own, shared pages by their share; in MiB.
pub(crate) fn proportional_memory(process: u32) -> anyhow::Result<f64> {
    memory(&format!("/proc/{process}/smaps_rollup"), "Pss:")
}

/// Memory in use now; in MiB.
pub(crate) fn resident_memory(process: u32) -> anyhow::Result<f64> {
    memory(&format!("/proc/{process}/status"), "VmRSS:")
}

/// The most memory that was ever in use; in MiB.
pub(crate) fn peak_memory(process: u32) -> anyhow::Result<f64> {
    memory(&format!("/proc/{process}/status"), "VmHWM:")
}

fn memory(file: &str, key: &str) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kib.with_context(|| format!("{file} has no {key}"))? / 1_024.0)
}

/// How many a second.
pub(crate) fn per_second(count: u64, span: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let count = count as f64;
    count / span.as_secs_f64()
}

/// How often something can be done in a second, tried for about `span` on the calling thread.
pub(crate) fn rate(
    span: Duration,
    mut act: impl FnMut() -> anyhow::Result<()>,
) -> anyhow::Result<f64> {
    let start = std::time::Instant::now();
    let mut done = 0;
    while start.elapsed() < span {
        for _ in 0..16 {
            act()?;
        }
        done += 16;
    }
    Ok(per_second(done, start.elapsed()))
}
