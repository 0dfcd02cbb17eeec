//! What a server costs that has nothing to do yet: memory, and time until it answers.

use super::wait_for;
use crate::machine;
use crate::report::{Report, Target, median, rounds};
use crate::seed::{self, Store};
use crate::server::{Server, Wish};
use crate::terms::Terms;

/// The larger store that a server is started on.
const MANY: u32 = 100_000;

pub(crate) fn measure(terms: &Terms, report: &mut Report) -> anyhow::Result<()> {
    let idle = rounds_of_idle(terms)?;
    report.figure(
        "idle memory of serve on SQLite, MiB (PSS)",
        Target::AtMost(20.0),
        median(&idle),
        &format!("{} s after it was ready", terms.idle.as_secs()),
    );

    let starts = rounds(|| start_millis(&Store::embedded()?))?;
    report.figure(
        "start to first answer, empty, ms",
        Target::AtMost(100.0),
        median(&starts),
        &shown(&starts),
    );
    synchronisations(report)?;

    let store = Store::embedded()?;
    wait_for(async {
        let auth = store.open().await?;
        seed::accounts(&auth, MANY).await.map(drop)
    })?;
    let starts = rounds(|| start_millis(&store))?;
    let name = "start to first answer, 100,000 accounts, ms";
    report.figure(name, Target::AtMost(500.0), median(&starts), &shown(&starts));
    Ok(())
}

/// One server after the other: two at a time would share the pages of their program, and each
/// would look smaller than it is.
fn rounds_of_idle(terms: &Terms) -> anyhow::Result<Vec<f64>> {
    rounds(|| {
        let store = Store::embedded()?;
        let server = Server::start(&store, Wish { access_log: true, ..Wish::default() })?;
        std::thread::sleep(terms.idle);
        machine::proportional_memory(server.process())
    })
}

fn start_millis(store: &Store) -> anyhow::Result<f64> {
    let server = Server::start(store, Wish::default())?;
    Ok(server.ready_after.as_secs_f64() * 1_000.0)
}

/// How often the first start of all waits for the disk.
fn synchronisations(report: &mut Report) -> anyhow::Result<()> {
    const NAME: &str = "synchronisations until the first answer";
    const TRACE: &str = "trace.txt";
    let store = Store::embedded()?;
    let wish = Wish { traced_into: Some(TRACE), ..Wish::default() };
    let Ok(server) = Server::start(&store, wish) else {
        report.missing(NAME, "not measured: strace is not installed, or may not trace");
        return Ok(());
    };
    let trace = std::fs::read_to_string(store.folder().join(TRACE))?;
    drop(server);
    let calls = trace.lines().filter(|line| line.contains("sync(")).count();
    let calls = f64::from(u32::try_from(calls)?);
    report.figure(NAME, Target::AtMost(6.0), calls, "counted by strace");
    Ok(())
}

fn shown(millis: &[f64]) -> String {
    let shown: Vec<_> = millis.iter().map(|millis| format!("{millis:.0}")).collect();
    format!("median of {}", shown.join(", "))
}
