//! Running `ironlatch serve` as the thing that is measured.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::load::{Connection, status};
use crate::seed::Store;
use crate::{machine, requests};

/// How long a server may take to get ready before the bench gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that ends when this is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    /// From its start to its first answer that says it is ready.
    pub(crate) ready_after: Duration,
}

/// What the server is told besides where its data is.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wish {
    pub(crate) access_log: bool,
    /// Sets `strace` before it, writing the calls that synchronise a file there.
    pub(crate) traced_into: Option<&'static str>,
    /// A mail server on this machine, spoken to without TLS; else mail goes to the log.
    pub(crate) mail_to: Option<SocketAddr>,
    /// Gives it the load's core as well, and a slot to hash on each.
    pub(crate) both_cores: bool,
}

impl Server {
    /// Starts it on its core and waits until it is ready.
    pub(crate) fn start(store: &Store, wish: Wish) -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = command(store, wish)?;
        configure(&mut command, store, wish, address)?;
        let begun = Instant::now();
        let cores: &[usize] =
            if wish.both_cores { &machine::BOTH_CORES } else { &[machine::SERVER_CORE] };
        let child = machine::among(cores, || command.spawn())?;
        let child =
            child.with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let mut server = Self { child, address, ready_after: Duration::ZERO };
        server.wait_until_ready(begun).with_context(|| {
            let log = std::fs::read_to_string(log_file(store)).unwrap_or_default();
            format!("the server did not get ready; it said:\n{log}")
        })?;
        server.ready_after = begun.elapsed();
        Ok(server)
    }

    /// The process that is measured.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    /// Asks once on a connection of its own.
    pub(crate) fn ask(&self, request: &[u8]) -> anyhow::Result<Vec<u8>> {
        Connection::open(self.address)?.ask(request)
    }

    fn wait_until_ready(&mut self, begun: Instant) -> anyhow::Result<()> {
        let request = requests::ready();
        loop {
            if let Ok(mut connection) = Connection::open(self.address)
                && let Ok(answer) = connection.ask(&request)
                && status(&answer) == 200
            {
                return Ok(());
            }
            if let Some(status) = self.child.try_wait()? {
                bail!("it ended at once ({status})");
            }
            if begun.elapsed() > PATIENCE {
                bail!("it was not ready after {PATIENCE:?}");
            }
            std::thread::sleep(Duration::from_micros(500));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let process = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        // Asked first, so that an embedded database is closed in order.
        let _ = process.map(|process| kill_process(process, Signal::TERM));
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(12) {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(store: &Store, wish: Wish) -> anyhow::Result<Command> {
    let Some(trace) = wish.traced_into else { return Ok(Command::new(binary()?)) };
    let mut command = Command::new("strace");
    // As the grandchild (`-D`), so that the process we know and stop is the server itself.
    command.args([
        "-D",
        "-f",
        "-qq",
        "-e",
        "trace=fsync,fdatasync,sync_file_range,msync,sync,syncfs",
    ]);
    command.arg("-o").arg(store.folder().join(trace)).arg(binary()?);
    Ok(command)
}

fn configure(
    command: &mut Command,
    store: &Store,
    wish: Wish,
    address: SocketAddr,
) -> anyhow::Result<()> {
    let log = File::create(log_file(store))?;
    command.arg("serve").current_dir(store.folder()).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("IRONLATCH_LISTEN", address.to_string());
    command.env("IRONLATCH_DATA_DIR", store.folder());
    command.env("IRONLATCH_DATABASE_URL", store.url());
    if store.key_file().exists() {
        command.env("IRONLATCH_MASTER_KEY_FILE", store.key_file());
    }
    command.env("IRONLATCH_PUBLIC_URL", "http://127.0.0.1:8000");
    command.env("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1");
    // Only what counts by network is raised: 64 networks stand for all the clients there are.
    command.env("IRONLATCH_LIMITS__SIGN_INS_PER_NETWORK_MINUTE", "1000000");
    command.env("IRONLATCH_HTTP__ACCESS_LOG", wish.access_log.to_string());
    if wish.both_cores {
        command.env("IRONLATCH_PASSWORDS__SLOTS", machine::BOTH_CORES.len().to_string());
    }
    if let Some(mail_server) = wish.mail_to {
        command.env("IRONLATCH_MAIL__TRANSPORT", "smtp");
        command.env("IRONLATCH_MAIL_FROM", "Bench <bench@example.com>");
        command.env("IRONLATCH_MAIL__SMTP__HOST", mail_server.ip().to_string());
        command.env("IRONLATCH_MAIL__SMTP__PORT", mail_server.port().to_string());
        command.env("IRONLATCH_MAIL__SMTP__SECURITY", "none");
    }
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(())
}

fn log_file(store: &Store) -> PathBuf {
    store.folder().join("server.log")
}

/// The server that was built together with this program.
fn binary() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let binary = here.parent().unwrap_or(Path::new(".")).join("ironlatch");
    if !binary.is_file() {
        bail!("{} is not built: run `cargo xtask bench`", binary.display());
    }
    Ok(binary)
}

/// A port of loopback that nobody uses just now.
pub(crate) fn free_address() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
