//! A PostgreSQL of our own that keeps what it acknowledges, on the server's core.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::figures::wait_for;
use crate::machine;
use crate::server::free_address;

/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running PostgreSQL; it stops, and its files go, when this is dropped.
pub(crate) struct Postgres {
    server: Child,
    port: u16,
    _folder: TempDir,
}

impl Postgres {
    /// Starts one with its usual settings: nothing about durability is relaxed.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let programs = programs().context("PostgreSQL is not installed (apt: postgresql)")?;
        let folder = tempfile::Builder::new().prefix("ironlatch-bench-pg-").tempdir()?;
        if rustix::process::geteuid().is_root() {
            // PostgreSQL refuses to run as root.
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755))?;
            succeed(Command::new("chown").arg("postgres").arg(folder.path()))?;
        }
        let data = folder.path().join("data");
        let mut initdb = as_unprivileged(&programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "-D"]);
        succeed(initdb.arg(&data).stdout(Stdio::null()))?;

        let port = free_address()?.port();
        let mut command = as_unprivileged(&programs.join("postgres"));
        command.arg("-D").arg(&data).arg("-k").arg(folder.path());
        command.args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let server = machine::on_server_core(|| command.spawn())??;
        let mut postgres = Self { server, port, _folder: folder };
        postgres.wait_until_it_answers()?;
        Ok(postgres)
    }

    /// The address of its one database.
    pub(crate) fn url(&self) -> String {
        self.url_of("postgres")
    }

    fn url_of(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// The address of a copy of its one database, which nobody may be using.
    pub(crate) fn copied(&self) -> anyhow::Result<String> {
        let begun = Instant::now();
        loop {
            let asked = wait_for(async {
                let url = self.url_of("template1");
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
                tokio::spawn(connection);
                Ok(client.batch_execute("CREATE DATABASE copy TEMPLATE postgres").await?)
            });
            match asked {
                Ok(()) => return Ok(self.url_of("copy")),
                // Whoever has hung up is noticed a moment later.
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(error.context("PostgreSQL copies nothing"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }

    /// It listens before it answers.
    fn wait_until_it_answers(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.server.try_wait()? {
                bail!("PostgreSQL ended at once ({status})");
            }
            let asked = wait_for(async {
                let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await?;
                tokio::spawn(connection);
                Ok(client.simple_query("SELECT 1").await?)
            });
            match asked {
                Ok(_) => return Ok(()),
                Err(error) if begun.elapsed() > PATIENCE => {
                    return Err(error.context("PostgreSQL does not answer"));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(50)),
            }
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let process = i32::try_from(self.server.id()).ok().and_then(Pid::from_raw);
        // SIGINT is its fast shutdown: the children end as well.
        let _ = process.map(|process| kill_process(process, Signal::INT));
        let _ = self.server.wait();
    }
}

/// The folder with `initdb` and `postgres`, the newest where there are several.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.into_iter().rev().find(|folder| folder.join("initdb").is_file())
}

/// `setpriv` becomes the program it runs, so the process stays the one we started.
fn as_unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    command.args(["--pdeathsig", "INT"]).arg(program).current_dir("/");
    command
}

fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().context("cannot run a program")?;
    ensure!(status.success(), "{} failed ({status})", command.get_program().display());
    Ok(())
}
