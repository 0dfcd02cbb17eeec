//! A PostgreSQL for the tests: the one that is given, or one of our own, thrown away after.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::machine;

/// Where tests find a server on which they may make and drop databases.
pub(crate) const VARIABLE: &str = "IRONLATCH_TEST_POSTGRES";

/// A server that stops, and whose files go, when this is dropped.
pub(crate) struct Postgres {
    url: String,
    own: Option<(Child, PathBuf)>,
}

impl Postgres {
    /// The given server, or a new one, installed first where it is missing.
    pub(crate) fn find_or_start() -> anyhow::Result<Self> {
        if let Ok(url) = std::env::var(VARIABLE) {
            return Ok(Self { url, own: None });
        }
        if programs().is_none() {
            machine::install(&["postgresql"])?;
        }
        start(&programs().context("PostgreSQL was installed, but initdb is not found")?)
    }

    /// The address for `IRONLATCH_TEST_POSTGRES`.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if let Some((server, folder)) = &mut self.own {
            // QUIT, not KILL: PostgreSQL then takes its shared memory along.
            let _ = Command::new("kill").args(["-QUIT", &server.id().to_string()]).status();
            let _ = server.wait();
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}

/// The folder with `initdb` and `postgres`, the newest where there are several.
fn programs() -> Option<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort();
    folders.extend(machine::find("initdb").and_then(|file| file.parent().map(Path::to_path_buf)));
    folders.into_iter().rev().find(|folder| folder.join("initdb").is_file())
}

fn start(programs: &Path) -> anyhow::Result<Postgres> {
    let folder = std::env::temp_dir().join(format!("ironlatch-test-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    if machine::is_root() {
        // PostgreSQL refuses to run as root.
        machine::run(Command::new("chown").arg(unprivileged()).arg(&folder))?;
    }
    let data = folder.join("data");
    let mut initdb = as_unprivileged(&programs.join("initdb"));
    initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
    machine::run(initdb.arg("--no-sync").arg("-D").arg(&data).stdout(Stdio::null()))?;

    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let mut server = as_unprivileged(&programs.join("postgres"));
    server.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-h", "127.0.0.1"]);
    server.args(["-p", &port.to_string()]);
    // Nothing here outlives the run. Many tests run at once, each with connections of its own.
    for setting in ["fsync=off", "full_page_writes=off", "max_connections=400"] {
        server.args(["-c", setting]);
    }
    let log = std::fs::File::create(std::env::temp_dir().join("ironlatch-test-postgres.log"))?;
    let child = server.stdout(log.try_clone()?).stderr(log).spawn()?;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
    let mut postgres = Postgres { url, own: Some((child, folder)) };
    wait_until_it_listens(&mut postgres, port)?;
    Ok(postgres)
}

/// Debian's package makes the user `postgres`; `nobody` is everywhere.
fn unprivileged() -> &'static str {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    if users.lines().any(|line| line.starts_with("postgres:")) { "postgres" } else { "nobody" }
}

/// A program that does not run as root, and that dies with us however we end.
fn as_unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    if machine::is_root() {
        let user = unprivileged();
        command.args(["--reuid", user, "--init-groups"]);
        let group = Command::new("id").args(["-gn", user]).output();
        let group = group.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
        command.args(["--regid", &group.unwrap_or_else(|_| user.to_owned())]);
    }
    command.args(["--pdeathsig", "QUIT"]).arg(program).current_dir("/");
    command
}

fn wait_until_it_listens(postgres: &mut Postgres, port: u16) -> anyhow::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        if let Some((server, _)) = &mut postgres.own
            && let Some(status) = server.try_wait()?
        {
            bail!("PostgreSQL ended at once ({status}); see ironlatch-test-postgres.log");
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("PostgreSQL does not listen after 30 s; see ironlatch-test-postgres.log")
}
