//! `ironlatch restore`: a backup takes the place of the embedded database. Whenever the machine
//! stops in between, either the old database is still whole or the new one is.

use std::fs::{File, remove_file, rename};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::master_key;
use crate::opening::{self, Opening};

/// What SQLite keeps beside a database; it belongs to that database and to no other.
const COMPANIONS: [&str; 2] = ["-wal", "-shm"];

/// Where a file of the old database waits until the new one is in its place.
fn aside(database: &Path, file: &str) -> PathBuf {
    opening::beside(database, &format!(".before-restore{file}"))
}

/// The old database itself goes aside first and comes back last, so that it tells.
fn was_interrupted(database: &Path) -> bool {
    aside(database, "").exists()
}

/// Refuses a database whose restoring was interrupted: a part of the old one may be aside.
pub(crate) fn check(database: &Path) -> anyhow::Result<()> {
    ensure!(
        !was_interrupted(database),
        "a restore was interrupted: run `ironlatch restore FILE --force` again, or rename {0}* \
         back to {1}* to keep the old database",
        aside(database, "").display(),
        database.display()
    );
    Ok(())
}

/// The copy is opened and its sessions and codes are ended before it takes the place of the
/// database, so that no moment exists in which an ended session lives again.
pub(crate) async fn restore(file: &Path, force: bool, opening: &Opening) -> anyhow::Result<()> {
    let target = opening.configuration.database_file().context(
        "this is for the embedded database; for PostgreSQL use pg_restore, then \
         `ironlatch keys rotate --compromised`",
    )?;
    master_key::prepare_data_dir(&opening.configuration.data_dir)?;
    ensure!(file.exists(), "{} is not there", file.display());
    let is_there = target.exists() || was_interrupted(&target);
    ensure!(force || !is_there, "{} is there; --force replaces it", target.display());
    let _lock = opening::lock(&target)?;
    let key = master_key::path(&opening.configuration);
    ensure!(key.exists(), "put the master key of this backup to {} first", key.display());
    // Beside the target, which may lie on another disk than the data directory.
    let beside = target.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = tempfile::tempdir_in(beside.unwrap_or(Path::new(".")))?;
    let (copy, ended) = (folder.path().join("copy.db"), folder.path().join("ended.db"));
    std::fs::copy(file, &copy).with_context(|| format!("cannot copy {}", file.display()))?;
    let auth = opening.engine(&format!("sqlite:{}", copy.display()), None, None).await?;
    auth.restore_finished().await?;
    auth.database().backup(&ended).await?;
    drop(auth);
    replace(&target, &ended)?;
    println!("{} is restored. All sessions are ended and all codes are void.", target.display());
    Ok(())
}

/// Puts `new` in the place of a database. Each step is durable before the next one relies on it.
fn replace(database: &Path, new: &Path) -> anyhow::Result<()> {
    let [wal, shm] = COMPANIONS;
    File::open(new)?.sync_all()?;
    if was_interrupted(database) {
        for file in [wal, shm, ""] {
            move_file(&aside(database, file), &opening::beside(database, file))?;
        }
        master_key::sync_folder(database)?;
    }
    remove_companions_aside(database)?;
    for file in ["", wal, shm] {
        move_file(&opening::beside(database, file), &aside(database, file))?;
    }
    master_key::sync_folder(database)?;
    rename(new, database)?;
    master_key::sync_folder(database)?;
    remove_file_if_there(&aside(database, ""))?;
    master_key::sync_folder(database)?;
    remove_companions_aside(database)
}

/// What is aside without its database is of no use to anybody.
fn remove_companions_aside(database: &Path) -> anyhow::Result<()> {
    for file in COMPANIONS {
        remove_file_if_there(&aside(database, file))?;
    }
    master_key::sync_folder(database)?;
    Ok(())
}

fn move_file(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.exists() { rename(from, to) } else { Ok(()) }
}

fn remove_file_if_there(file: &Path) -> std::io::Result<()> {
    if file.exists() { remove_file(file) } else { Ok(()) }
}
