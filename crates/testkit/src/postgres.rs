//! A throwaway PostgreSQL: one server for a test process, a fresh database for each test.

use std::fs::{File, Permissions};
use std::io;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ironlatch_core::database::{Database, DatabaseUrl};
use ironlatch_core::ports::{Random, SystemClock, SystemRandom};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

/// The address of a server on which tests may make and drop databases.
const VARIABLE: &str = "IRONLATCH_TEST_POSTGRES";

/// A migrated database for one test. It is dropped when another one is asked for.
#[derive(Debug)]
pub struct PostgresDatabase {
    /// Where it is.
    pub url: String,
    name: String,
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        LET_GO.lock().unwrap_or_else(PoisonError::into_inner).push(std::mem::take(&mut self.name));
    }
}

static SHARED: OnceCell<Option<Shared>> = OnceCell::const_new();
static LET_GO: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// The server all tests of this process share.
struct Shared {
    admin_url: String,
    /// How to copy the migrated database.
    copy: String,
    /// Held for the life of the process; the server goes when the process does.
    _own: Option<PostgresServer>,
}

/// A fresh database, or `None` where there is no PostgreSQL (never in CI).
pub async fn postgres() -> Option<PostgresDatabase> {
    let shared = SHARED.get_or_init(share).await.as_ref()?;
    let admin = connect(&shared.admin_url).await;
    let let_go = std::mem::take(&mut *LET_GO.lock().unwrap_or_else(PoisonError::into_inner));
    for name in let_go {
        // Only housekeeping: a database still in use goes with the server.
        let _ = admin.batch_execute(&format!("DROP DATABASE {name}")).await;
    }
    let name = fresh_name("test");
    admin
        .batch_execute(&format!("CREATE DATABASE {name} {}", shared.copy))
        .await
        .expect("a database can be made");
    Some(PostgresDatabase { url: with_database(&shared.admin_url, &name), name })
}

/// A fresh database that holds nothing, not even the schema.
pub async fn empty_postgres() -> Option<PostgresDatabase> {
    let shared = SHARED.get_or_init(share).await.as_ref()?;
    let name = fresh_name("empty");
    let admin = connect(&shared.admin_url).await;
    admin.batch_execute(&format!("CREATE DATABASE {name}")).await.expect("a database can be made");
    Some(PostgresDatabase { url: with_database(&shared.admin_url, &name), name })
}

/// Finds or starts the server and migrates one database, of which the others are copies.
async fn share() -> Option<Shared> {
    let (admin_url, own) = if let Ok(url) = std::env::var(VARIABLE) {
        (url, None)
    } else {
        // Nothing on it outlives the process. Tests of durability start servers of their own.
        let hasty = ["fsync=off", "full_page_writes=off", "autovacuum=off"];
        let server = PostgresServer::start_with(&hasty).await?;
        (server.url.clone(), Some(server))
    };
    let template = fresh_name("template");
    let admin = connect(&admin_url).await;
    let make = format!("CREATE DATABASE {template}");
    admin.batch_execute(&make).await.expect("a database can be made");
    let url = DatabaseUrl(with_database(&admin_url, &template));
    let database = Database::open(&url, Arc::new(SystemClock), Arc::new(SystemRandom)).await;
    drop(database.expect("the schema can be made"));
    // A template that somebody is connected to cannot be copied; connections close in their
    // own time.
    let busy = format!("SELECT 1 FROM pg_stat_activity WHERE datname = '{template}'");
    while !admin.query(&busy, &[]).await.expect("the server answers").is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Copying files needs a server without fsync to be fast, and is then four times as fast.
    let version = "SELECT current_setting('server_version_num')::int >= 150000";
    let version = admin.query_one(version, &[]).await.expect("the server answers");
    let strategy = if version.get(0) { " STRATEGY file_copy" } else { "" };
    Some(Shared { admin_url, copy: format!("TEMPLATE {template}{strategy}"), _own: own })
}

/// Names differ between processes that share a server, whose numbers come round again: threads
/// use them up as well.
fn fresh_name(kind: &str) -> String {
    let mut number = [0; 16];
    SystemRandom.fill(&mut number);
    format!("ironlatch_{kind}_{:032x}", u128::from_be_bytes(number))
}

/// The same server, another database.
fn with_database(admin_url: &str, name: &str) -> String {
    let (base, query) = admin_url.split_once('?').unwrap_or((admin_url, ""));
    let scheme_end = base.find("://").map_or(0, |at| at + 3);
    let host_end = base.get(scheme_end..).and_then(|rest| rest.find('/'));
    let host = host_end.and_then(|at| base.get(..scheme_end + at)).unwrap_or(base);
    let mark = if query.is_empty() { "" } else { "?" };
    format!("{host}/{name}{mark}{query}")
}

async fn connect(url: &str) -> Client {
    let (client, connection) =
        tokio_postgres::connect(url, NoTls).await.expect("the test server accepts connections");
    tokio::spawn(connection);
    client
}

/// A server of a test's own, e.g. to stop it in the middle of something.
#[derive(Debug)]
pub struct PostgresServer {
    /// The address of its database `postgres`, as its superuser.
    pub url: String,
    /// Where it listens on the loopback interface.
    pub port: u16,
    programs: PathBuf,
    owner: Option<(u32, u32)>,
    settings: Vec<String>,
    running: Option<Child>,
    folder: TempDir,
}

/// Stops the server when its input ends, which the system sees to even when the test process
/// is killed, and removes its files unless told to keep them.
const KEEPER: &str = r#"trap '' INT
"$@" & server=$!
read -r word
kill -QUIT $server
wait $server
[ "$word" = keep ] || rm -rf "$0"
"#;

impl PostgresServer {
    /// Starts a server as an operator would run it, or says in one line what is not run.
    pub async fn start() -> Option<Self> {
        Self::start_with(&[]).await
    }

    /// The same with further settings, each `name=value`.
    pub async fn start_with(settings: &[&str]) -> Option<Self> {
        let Some(programs) = programs() else {
            let why = "PostgreSQL is not installed (initdb is not found)";
            assert!(std::env::var("CI").is_err(), "{why}");
            eprintln!("not run on PostgreSQL: {why}");
            return None;
        };
        let settings: Vec<String> = settings.iter().map(|&setting| setting.to_owned()).collect();
        let making = tokio::task::spawn_blocking(move || Self::make(programs, settings));
        let mut server = making.await.expect("the thread ends").expect("the server's files");
        server.resume().await;
        Some(server)
    }

    fn make(programs: PathBuf, settings: Vec<String>) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix("ironlatch-postgres-").tempdir()?;
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o700))?;
        let owner = unprivileged()?;
        if let Some((user, group)) = owner {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let mut initdb = Command::new(programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]);
        initdb.args(["--no-sync", "-D"]).arg(folder.path().join("data"));
        let output = as_owner(&mut initdb, owner).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()));
        }
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let url = format!("postgres://postgres@127.0.0.1:{port}/postgres");
        Ok(Self { url, port, programs, owner, settings, running: None, folder })
    }

    /// Stops it at once, as after a crash (`pg_ctl -m immediate`): it must recover when resumed.
    pub fn crash(&mut self) {
        self.stop("keep\n");
    }

    /// Starts it again and waits until it answers.
    pub async fn resume(&mut self) {
        let mut keeper = Command::new("sh");
        keeper.arg("-c").arg(KEEPER).arg(self.folder.path()).arg(self.programs.join("postgres"));
        keeper.arg("-D").arg(self.folder.path().join("data"));
        keeper.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k", ""]);
        keeper.args(["-c", "max_connections=300"]);
        for setting in &self.settings {
            keeper.args(["-c", setting]);
        }
        let log = File::options().create(true).append(true).open(self.log()).expect("its log");
        keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(log);
        // A group of its own: the terminal's Ctrl-C is for the test.
        let keeper = as_owner(&mut keeper, self.owner).process_group(0).spawn();
        self.running = Some(keeper.expect("the server starts"));
        let deadline = Instant::now() + Duration::from_secs(30);
        while let Err(error) = tokio_postgres::connect(&self.url, NoTls).await {
            assert!(Instant::now() < deadline, "no answer: {error}\n{}", self.last_words());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn last_words(&self) -> String {
        std::fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// A folder the server can read, for its certificates.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Gives it a file of its own that nobody else may read, e.g. a key, and answers its path.
    #[must_use]
    pub fn write_file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).expect("the file can be written");
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
        if let Some((user, group)) = self.owner {
            chown(&path, Some(user), Some(group)).expect("it can be given away");
        }
        path
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn stop(&mut self, word: &str) {
        use std::io::Write;
        if let Some(mut keeper) = self.running.take() {
            if let Some(mut input) = keeper.stdin.take() {
                let _ = input.write_all(word.as_bytes());
            }
            let _ = keeper.wait();
        }
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stop("");
    }
}

/// The folder with `initdb` and `postgres`, the newest where there are several.
fn programs() -> Option<PathBuf> {
    let on_path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut packaged: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    packaged.sort();
    let has_both =
        |folder: &PathBuf| folder.join("initdb").is_file() && folder.join("postgres").is_file();
    packaged.into_iter().rev().chain(std::env::split_paths(&on_path)).find(has_both)
}

/// Whom to run it as: PostgreSQL refuses root. `None` when we are not root.
fn unprivileged() -> io::Result<Option<(u32, u32)>> {
    // `/proc/self` belongs to whom we run as.
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self")?) == 0;
    if !is_root {
        return Ok(None);
    }
    let users = std::fs::read_to_string("/etc/passwd")?;
    let ids = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    };
    Ok(Some(ids("postgres").or_else(|| ids("nobody")).unwrap_or((65_534, 65_534))))
}

fn as_owner(command: &mut Command, owner: Option<(u32, u32)>) -> &mut Command {
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command.current_dir("/")
}
