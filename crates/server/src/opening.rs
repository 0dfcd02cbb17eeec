//! From a configuration to a running engine: master key, locks, transports, database.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use ironlatch_core::Auth;
use ironlatch_core::ports::{Clock, MailTransport, SmsTransport};

use crate::configuration::{Configuration, ServerSettings};
use crate::master_key;
use crate::restoring;

/// A configuration that stands.
pub(crate) struct Opening {
    pub(crate) configuration: Configuration,
    pub(crate) settings: ServerSettings,
}

/// Where messages go.
#[derive(Clone)]
pub(crate) struct Ways {
    pub(crate) mail: Arc<dyn MailTransport>,
    pub(crate) sms: Option<Arc<dyn SmsTransport>>,
}

/// A running engine.
pub(crate) struct Opened {
    pub(crate) auth: Auth,
    _lock: Option<File>,
}

impl Opening {
    /// Opens everything for a server: no second one may use an embedded database.
    pub(crate) async fn open(
        self,
        clock: Option<Arc<dyn Clock>>,
        inbox: Option<Ways>,
    ) -> anyhow::Result<Opened> {
        let file = self.configuration.database_file();
        if file.is_some() {
            master_key::prepare_data_dir(&self.configuration.data_dir)?;
        }
        let lock = file.as_deref().map(lock).transpose()?;
        file.as_deref().map(restoring::check).transpose()?;
        let auth = self.engine(&self.configuration.database(), clock, inbox).await?;
        Ok(Opened { auth, _lock: lock })
    }

    /// Opens the engine for one command, beside a running server or without one.
    pub(crate) async fn for_command(&self) -> anyhow::Result<Auth> {
        let file = self.configuration.database_file();
        if let Some(file) = file.filter(|file| !file.exists()) {
            bail!("there is no database at {}; start `ironlatch serve` once", file.display());
        }
        if let Some(file) = self.configuration.database_file() {
            restoring::check(&file)?;
        }
        self.engine(&self.configuration.database(), None, None).await
    }

    /// Builds the engine on some database.
    pub(crate) async fn engine(
        &self,
        database: &str,
        clock: Option<Arc<dyn Clock>>,
        inbox: Option<Ways>,
    ) -> anyhow::Result<Auth> {
        if let Some(file) = self.configuration.database_file() {
            master_key::check_database_file(&file)?;
        }
        let ways = inbox.unwrap_or_else(|| self.settings.ways.clone());
        let mut builder = Auth::builder()
            .settings(self.settings.core.clone())
            .database(database)
            .master_key(master_key::load(&self.configuration)?)
            .mail(ways.mail);
        if let Some(sms) = ways.sms {
            builder = builder.sms(sms);
        }
        if let Some(clock) = clock {
            builder = builder.clock(clock);
        }
        Ok(builder.build().await?)
    }
}

/// Claims an embedded database for one server; the kernel gives the claim back when the process
/// ends, however it ends.
pub(crate) fn lock(database: &Path) -> anyhow::Result<File> {
    let path = beside(database, ".lock");
    let file = File::options().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(_) => bail!(
            "another server is using {}: stop it first, or give this one another IRONLATCH_DATA_DIR",
            database.display()
        ),
    }
}

/// A file's name with something added.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
