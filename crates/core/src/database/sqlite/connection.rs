//! Opening connections, and what each must be set to.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::failure;
use crate::error::InternalError;

/// 3.51.3 is the first release without the fault that could lose frames when the write-ahead
/// log is reset; only the bundled library is ever linked.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// How long a connection waits for another process, e.g. a command run beside the server.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Makes sure that the file exists, belongs to us alone and keeps a write-ahead log.
pub(super) fn create(path: &Path) -> Result<(), InternalError> {
    let library = rusqlite::version_number();
    if library < OLDEST_LIBRARY {
        return Err(InternalError::fault(format_args!(
            "SQLite {library} is linked; {OLDEST_LIBRARY} or later is needed"
        )));
    }
    let cannot =
        |error| InternalError::unavailable(format_args!("cannot open {}: {error}", path.display()));
    // One node at a time, whichever process it is in: SQLite does not wait for others while
    // it changes to a write-ahead log, and nobody may acknowledge anything before the file's
    // first page is on the disk.
    let _others_wait = folder_lock(path).map_err(cannot)?;
    if private_file(path).map_err(cannot)? {
        first_page(path).map_err(|error| failure::internal(&error))?;
        // The log counts for nothing while the file beside it is empty. No connection may be
        // open now: closing this file would drop its locks.
        File::open(path).and_then(|file| file.sync_all()).map_err(InternalError::unavailable)?;
    }
    Ok(())
}

/// Waits until no other node makes a database in this folder, which is made if missing.
fn folder_lock(path: &Path) -> io::Result<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let folder = File::open(folder.unwrap_or(Path::new(".")))?;
    match folder.lock() {
        // Such a file system cannot hold a shared database either.
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(folder),
        locked => locked.map(|()| folder),
    }
}

/// Whether the file had to be made (or was empty). One that is in use is not opened: closing
/// it would drop the locks of this process's connections to it.
fn private_file(path: &Path) -> io::Result<bool> {
    let known = match std::fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            new.metadata()?
        }
        known => known?,
    };
    // SQLite gives the log and the shared memory the same permissions.
    if known.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    }
    Ok(known.len() == 0)
}

/// Turns an empty file into an empty database with a write-ahead log. Synchronised once
/// afterwards instead of at each of SQLite's steps: there is nothing yet to lose.
fn first_page(path: &Path) -> rusqlite::Result<()> {
    let connection = raw(path)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.pragma_update(None, "journal_mode", "WAL")
}

/// A connection as every one of them is set up.
pub(super) fn open(path: &Path) -> Result<Connection, InternalError> {
    configured(path).map_err(|error| failure::internal(&error))?.checked()
}

/// Sets one up for the writer.
///
/// What a batch would need to be undone stays in memory: otherwise SQLite writes it, page by
/// page, to a file in the system's folder for temporary files, which costs more than the log
/// does, leaves the data folder, and fails the batch where no such folder can be written to.
/// Not for migrations, whose sorting may need more than there is memory.
pub(super) fn writer(connection: Connection) -> Result<Connection, InternalError> {
    let set = connection.pragma_update(None, "temp_store", "MEMORY");
    set.map(|()| connection).map_err(|error| failure::internal(&error))
}

/// A connection that cannot write.
pub(super) fn reader(path: &Path) -> Result<Connection, InternalError> {
    let connection = open(path)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(|error| failure::internal(&error))?;
    Ok(connection)
}

/// Copies a database that may be in use into a file that must not exist yet.
pub(super) fn copy(source: &Path, target: &Path) -> Result<(), InternalError> {
    let cannot = |error: &dyn std::fmt::Display| {
        InternalError::unavailable(format_args!("cannot write {}: {error}", target.display()))
    };
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(target)
        .map_err(|error| cannot(&error))?;
    let name = target.to_str().ok_or_else(|| cannot(&"its name is not UTF-8"))?;
    open(source)?.execute("VACUUM INTO ?1", [name]).map_err(|error| cannot(&error))?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(target)
        .and_then(|file| file.sync_all())
        .and_then(|()| File::open(folder.unwrap_or(Path::new(".")))?.sync_all())
        .map_err(|error| cannot(&error))
}

fn raw(path: &Path) -> rusqlite::Result<Connection> {
    // `NO_MUTEX`: a connection never leaves its thread. No URI: a path may hold `?`.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(LONGEST_WAIT)?;
    Ok(connection)
}

fn configured(path: &Path) -> rusqlite::Result<Configured> {
    let connection = raw(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", 1_000)?;
    // Refuses schemas and views that would call functions with side effects.
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(Configured(connection))
}

struct Configured(Connection);

impl Configured {
    /// SQLite ignores what it does not understand, so every setting is asked for again.
    fn checked(self) -> Result<Connection, InternalError> {
        let ask = |name: &str| -> rusqlite::Result<String> {
            self.0.pragma_query_value(None, name, |row| {
                row.get_ref(0).map(|value| match value {
                    rusqlite::types::ValueRef::Integer(number) => number.to_string(),
                    other => other.as_str().unwrap_or_default().to_owned(),
                })
            })
        };
        let settings = [("journal_mode", "wal"), ("synchronous", "2"), ("foreign_keys", "1")];
        for (name, wanted) in settings {
            let found = ask(name).map_err(|error| failure::internal(&error))?;
            if found != wanted {
                return Err(InternalError::fault(format_args!(
                    "the database does not keep `{name}`: it answers {found:?} instead of {wanted:?} \
                     (a file system without shared memory or locks cannot hold it)"
                )));
            }
        }
        Ok(self.0)
    }
}

/// `sqlite:PATH`, also written `sqlite://PATH`; a relative path is the working folder's.
pub(super) fn path_of(address: &str) -> Result<PathBuf, InternalError> {
    let path = address.strip_prefix("//").unwrap_or(address);
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(InternalError::fault(
            "the database URL must name a file, e.g. `sqlite:ironlatch.db`",
        ));
    }
    Ok(PathBuf::from(path))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::{Connection, create, open, writer};

    /// Changes more pages within a savepoint than SQLite keeps in memory by itself; answers which
    /// of its temporary files are open then.
    fn temporary_files(connection: &Connection) -> rusqlite::Result<Vec<String>> {
        connection.execute_batch(
            "CREATE TABLE commit_marker (id INTEGER PRIMARY KEY, group_id TEXT);
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
             INSERT INTO commit_marker SELECT i, hex(zeroblob(1000)) FROM n;
             BEGIN IMMEDIATE;
             UPDATE commit_marker SET group_id = 'one' || group_id;
             SAVEPOINT batch;
             UPDATE commit_marker SET group_id = 'two' || group_id;",
        )?;
        let open = std::fs::read_dir("/proc/self/fd").into_iter().flatten();
        let names = open.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
        let names = names.map(|name| name.display().to_string());
        let temporary = names.filter(|name| name.contains("etilqs")).collect();
        connection.execute_batch("ROLLBACK TO batch; COMMIT")?;
        Ok(temporary)
    }

    #[test]
    fn the_writer_needs_no_folder_for_temporary_files() {
        let folder = tempfile::tempdir().unwrap();
        let [plain, writers] = ["plain.db", "writer.db"].map(|name| {
            let path = folder.path().join(name);
            create(&path).unwrap();
            open(&path).unwrap()
        });
        let none: [String; 0] = [];
        // So that the trial is known to tell.
        assert_ne!(temporary_files(&plain).unwrap(), none);
        assert_eq!(temporary_files(&writer(writers).unwrap()).unwrap(), none);
    }
}
