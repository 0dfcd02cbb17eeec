//! The master key's file, and what else must not be readable by everybody.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use data_encoding::{BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD, HEXLOWER_PERMISSIVE};
use ironlatch_core::ports::{Random, SystemRandom};

use crate::configuration::Configuration;

/// Makes the data directory where it is missing, for its owner only. One that is there may be
/// looked into (each file in it is private), but not written to by everybody.
pub(crate) fn prepare_data_dir(path: &Path) -> anyhow::Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.with_context(|| format!("cannot make the data directory {}", path.display()))?;
    ensure!(
        !allows_others(path, 0o002),
        "everybody on this machine can put files into {0}: run `chmod 700 {0}`",
        path.display()
    );
    Ok(())
}

/// Refuses a database file that everybody can read, wherever it lies.
pub(crate) fn check_database_file(file: &Path) -> anyhow::Result<()> {
    ensure!(
        !is_open(file),
        "everybody on this machine can read the database: run `chmod 600 {}*`",
        file.display()
    );
    Ok(())
}

/// Whether people who are neither the owner nor in the group may do anything with a file.
pub(crate) fn is_open(path: &Path) -> bool {
    allows_others(path, 0o007)
}

fn allows_others(path: &Path, what: u32) -> bool {
    path.metadata().is_ok_and(|found| found.permissions().mode() & what != 0)
}

/// Where the master key is.
pub(crate) fn path(configuration: &Configuration) -> PathBuf {
    let own = || configuration.data_dir.join("master.key");
    configuration.master_key_file.clone().unwrap_or_else(own)
}

/// Reads the master key; with the embedded database it is made at the first start.
pub(crate) fn load(configuration: &Configuration) -> anyhow::Result<[u8; 32]> {
    let path = path(configuration);
    let shown = path.display();
    match std::fs::read(&path) {
        Ok(content) => {
            ensure!(
                !is_open(&path),
                "everybody on this machine can read the master key: run `chmod 600 {shown}`"
            );
            decode(&content).with_context(|| {
                format!("{shown} must hold 32 bytes: raw, in base64, or in hexadecimal")
            })
        }
        Err(error)
            if error.kind() == ErrorKind::NotFound && configuration.master_key_file.is_none() =>
        {
            let database = configuration.database_file();
            if database.is_some_and(|file| file.exists()) {
                bail!("{shown} is missing: this database opens only with its own master key");
            }
            create(&path).with_context(|| format!("cannot write {shown}"))
        }
        Err(error) => Err(error).with_context(|| format!("cannot read the master key {shown}")),
    }
}

/// Makes a new key that survives a power cut before anything is sealed with it.
fn create(path: &Path) -> anyhow::Result<[u8; 32]> {
    let mut key = [0; 32];
    SystemRandom.fill(&mut key);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&key)?;
    file.sync_all()?;
    sync_folder(path)?;
    Ok(key)
}

/// Makes a name in a folder durable.
pub(crate) fn sync_folder(file: &Path) -> std::io::Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

/// Reads a key in one of its forms.
fn decode(content: &[u8]) -> Option<[u8; 32]> {
    if let Ok(raw) = content.try_into() {
        return Some(raw);
    }
    let text = content.trim_ascii();
    [HEXLOWER_PERMISSIVE, BASE64, BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD]
        .iter()
        .find_map(|encoding| encoding.decode(text).ok()?.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(folder: &Path) -> Configuration {
        let mut configuration = Configuration::default();
        configuration.data_dir = folder.to_owned();
        configuration
    }

    #[test]
    fn a_key_is_read_in_each_of_its_forms() {
        let key = [0xfb; 32];
        assert_eq!(decode(&key), Some(key));
        assert_eq!(decode(format!("{}\n", HEXLOWER_PERMISSIVE.encode(&key)).as_bytes()), Some(key));
        assert_eq!(decode(BASE64.encode(&key).as_bytes()), Some(key));
        assert_eq!(decode(BASE64URL_NOPAD.encode(&key).as_bytes()), Some(key));
        assert_eq!(decode(b"too short"), None);
        assert_eq!(decode(&[1; 33]), None);
    }

    #[test]
    fn a_new_key_is_private_and_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = within(folder.path());
        let key = load(&configuration).unwrap();
        let mode = path(&configuration).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(load(&configuration).unwrap(), key);
    }

    #[test]
    fn a_key_that_everybody_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = within(folder.path());
        load(&configuration).unwrap();
        let file = path(&configuration);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(load(&configuration).unwrap_err().to_string().contains("chmod 600"));
    }

    #[test]
    fn a_database_without_its_key_is_not_given_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let configuration = within(folder.path());
        std::fs::write(folder.path().join("ironlatch.db"), b"").unwrap();
        assert!(load(&configuration).unwrap_err().to_string().contains("is missing"));
        assert!(!path(&configuration).exists());
    }
}
