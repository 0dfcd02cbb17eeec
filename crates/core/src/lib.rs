//! Ironlatch as a library: every rule and every query, no HTTP.
//!
//! [`Auth`] is the whole product. Its rooms, from the door inwards (a room uses only rooms
//! listed below it):
//!
//! - [`sign_in`]: the one way in; every way to sign in or up ends there.
//! - [`social`]: who vouches for us; providers and what they say.
//! - [`sources`]: where people came from, and the analytics of it.
//! - [`profiles`]: what people tell about themselves, a picture too.
//! - [`accounts`]: who exists; roles, groups, permissions.
//! - [`credentials`]: what proves it; the hash gate.
//! - [`one_time_codes`]: the codes and links we send.
//! - [`sessions`]: who is here; start, refresh, check, revoke.
//! - [`tokens`]: how tokens are written and read; signing keys.
//! - [`limits`]: how often.
//! - [`audit`]: what happened.
//! - [`messages`]: what we say; the outbox.
//! - [`secrets`]: the master key and sealing.
//! - [`outbound`]: the one client that asks other servers, and what it refuses.
//! - [`database`]: the only room that knows there are two engines.
//! - [`ids`], [`ports`]: identifiers; what we need from outside.
//! - [`workers`]: starts each room's background task. Leaves any room may use: [`client`],
//!   [`settings`], [`error`], [`time`].

pub mod accounts;
pub mod audit;
pub mod client;
pub mod credentials;
pub mod database;
pub mod error;
pub mod ids;
pub mod limits;
pub mod messages;
pub mod one_time_codes;
pub mod outbound;
pub mod ports;
pub mod profiles;
pub mod secrets;
pub mod sessions;
pub mod settings;
pub mod sign_in;
pub mod social;
pub mod sources;
pub mod time;
pub mod tokens;
pub mod workers;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::audit::{Entry, Event};
use crate::credentials::password::Hashing;
use crate::database::{Batch, Database, DatabaseUrl, WriteError};
use crate::error::InternalError;
use crate::ports::{Clock, MailTransport, Random, SmsTransport, SystemClock, SystemRandom};
use crate::secrets::Secrets;
use crate::settings::Settings;

/// The authentication engine: cheap to clone, shared by every request.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Settings,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    database: Database,
    secrets: Secrets,
    hashing: Hashing,
    mail: Arc<dyn MailTransport>,
    sms: Option<Arc<dyn SmsTransport>>,
    network_limits: limits::NetworkLimits,
    outbox: messages::Outbox,
    outbound: outbound::Outbound,
    directory: social::Directory,
    tokens: tokens::State,
    sessions: sessions::State,
    studio: profiles::Studio,
}

impl Auth {
    /// Begins to put an `Auth` together.
    #[must_use]
    pub fn builder() -> AuthBuilder {
        AuthBuilder {
            settings: Settings::default(),
            database: DatabaseUrl("sqlite:ironlatch.db".to_owned()),
            master_key: None,
            clock: Arc::new(SystemClock),
            random: Arc::new(SystemRandom),
            mail: None,
            sms: None,
            outbound: outbound::Options::default(),
        }
    }

    /// The validated settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The clock everything goes by.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.inner.clock
    }

    /// The source of randomness.
    #[must_use]
    pub fn random(&self) -> &dyn Random {
        &*self.inner.random
    }

    /// The ways in.
    #[must_use]
    pub fn sign_in(&self) -> sign_in::SignIn<'_> {
        sign_in::SignIn { auth: self }
    }

    /// Providers that vouch for people.
    #[must_use]
    pub fn social(&self) -> social::Social<'_> {
        social::Social { auth: self }
    }

    /// Where people came from.
    #[must_use]
    pub fn sources(&self) -> sources::Sources<'_> {
        sources::Sources { auth: self }
    }

    /// Accounts, for operators.
    #[must_use]
    pub fn accounts(&self) -> accounts::Accounts<'_> {
        accounts::Accounts { auth: self }
    }

    /// What people tell about themselves.
    #[must_use]
    pub fn profiles(&self) -> profiles::Profiles<'_> {
        profiles::Profiles { auth: self }
    }

    /// Sessions.
    #[must_use]
    pub fn sessions(&self) -> sessions::Sessions<'_> {
        sessions::Sessions { auth: self }
    }

    /// Tokens and signing keys.
    #[must_use]
    pub fn tokens(&self) -> tokens::Tokens<'_> {
        tokens::Tokens { auth: self }
    }

    /// Passwords and the hash gate.
    #[must_use]
    pub fn passwords(&self) -> credentials::password::Passwords<'_> {
        credentials::password::Passwords { auth: self }
    }

    /// Authenticator apps.
    #[must_use]
    pub fn totp(&self) -> credentials::totp::Totp<'_> {
        credentials::totp::Totp { auth: self }
    }

    /// Recovery codes.
    #[must_use]
    pub fn recovery_codes(&self) -> credentials::recovery_codes::RecoveryCodes<'_> {
        credentials::recovery_codes::RecoveryCodes { auth: self }
    }

    /// Codes and links.
    #[must_use]
    pub fn one_time_codes(&self) -> one_time_codes::OneTimeCodes<'_> {
        one_time_codes::OneTimeCodes { auth: self }
    }

    /// Limits, and the stop of SMS.
    #[must_use]
    pub fn limits(&self) -> limits::Limits<'_> {
        limits::Limits { auth: self }
    }

    /// The outbox.
    #[must_use]
    pub fn messages(&self) -> messages::Messages<'_> {
        messages::Messages { auth: self }
    }

    /// The store.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Whether this node may answer: the database answers within a second, revocations are
    /// known, the clock is right.
    pub async fn is_ready(&self) -> bool {
        let alive = tokio::time::timeout(time::seconds(1), self.database().is_alive());
        self.sessions().is_ready() && alive.await.unwrap_or(false)
    }

    /// Makes a restored database safe to serve: sessions, codes and challenges of the past may
    /// have been ended or used since the copy was made, so all of them are void, and new keys sign.
    pub async fn restore_finished(&self) -> Result<(), InternalError> {
        let now = self.clock().now();
        let mut batch = Batch::new();
        batch.add(self.one_time_codes().void_everything());
        batch.add(self.sign_in().void_challenges_statement(now));
        batch.add(self.sessions().end_everything_statement(now));
        batch.add(Entry::new(Event::Restored).statement(now, self.random()));
        self.database().write(batch).await.map_err(WriteError::unexpected)?;
        // Access tokens are checked without the database; without their key they end at once.
        self.tokens().rotate(true).await?;
        Ok(())
    }

    pub(crate) fn secrets(&self) -> &Secrets {
        &self.inner.secrets
    }

    pub(crate) fn outbound(&self) -> &outbound::Outbound {
        &self.inner.outbound
    }

    pub(crate) fn hashing(&self) -> &Hashing {
        &self.inner.hashing
    }
}

/// Puts an [`Auth`] together.
pub struct AuthBuilder {
    settings: Settings,
    database: DatabaseUrl,
    master_key: Option<Zeroizing<[u8; 32]>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    mail: Option<Arc<dyn MailTransport>>,
    sms: Option<Arc<dyn SmsTransport>>,
    outbound: outbound::Options,
}

/// Why an [`Auth`] could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Settings that cannot stand, all of them.
    #[error("{}", .0.iter().map(|m| format!("{}: {}", m.key, m.sentence)).collect::<Vec<_>>().join("\n"))]
    Settings(Vec<settings::Mistake>),
    /// No master key was given.
    #[error("a master key of 32 bytes is needed")]
    NoMasterKey,
    /// The database was sealed with another master key.
    #[error("the master key is not the one this database was sealed with")]
    OtherMasterKey,
    /// The database does not open.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

impl AuthBuilder {
    /// Replaces the default settings.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// Where the database is: `sqlite:PATH` or `postgres://…`.
    #[must_use]
    pub fn database(mut self, url: impl Into<String>) -> Self {
        self.database = DatabaseUrl(url.into());
        self
    }

    /// The key that seals what is stored.
    #[must_use]
    pub fn master_key(mut self, key: [u8; 32]) -> Self {
        self.master_key = Some(Zeroizing::new(key));
        self
    }

    /// Another clock than the machine's.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of randomness than the system's.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// How mail leaves; without one it goes to the log.
    #[must_use]
    pub fn mail(mut self, transport: Arc<dyn MailTransport>) -> Self {
        self.mail = Some(transport);
        self
    }

    /// How SMS leave; without one there are none.
    #[must_use]
    pub fn sms(mut self, transport: Arc<dyn SmsTransport>) -> Self {
        self.sms = Some(transport);
        self
    }

    /// Other bounds, or another resolver, for what is asked of other servers; for tests.
    #[must_use]
    pub fn outbound(mut self, options: outbound::Options) -> Self {
        self.outbound = options;
        self
    }

    /// Opens the database, migrates it, checks the master key, loads the keys and the live set.
    pub async fn build(self) -> Result<Auth, BuildError> {
        let mut mistakes = self.settings.check();
        let outbox = messages::Outbox::new(&self.settings);
        let outbox = match outbox {
            Ok(outbox) if mistakes.is_empty() => outbox,
            outbox => {
                mistakes.extend(outbox.err().unwrap_or_default());
                return Err(BuildError::Settings(mistakes));
            }
        };
        let master_key = self.master_key.ok_or(BuildError::NoMasterKey)?;
        let secrets = Secrets::new(&master_key, Arc::clone(&self.random))?;
        let database =
            Database::open(&self.database, Arc::clone(&self.clock), Arc::clone(&self.random))
                .await?;
        if !secrets::is_ours(&database, &secrets).await? {
            return Err(BuildError::OtherMasterKey);
        }
        let outbound = outbound::Outbound::new(Arc::clone(&self.clock), self.outbound)
            .map_err(InternalError::fault)?;
        let mail = self.mail.unwrap_or_else(|| Arc::new(messages::LogTransport));
        let network_limits = limits::NetworkLimits::new(&self.settings, &self.clock);
        let hashing = Hashing::new(&self.settings.passwords);
        let auth = Auth {
            inner: Arc::new(Inner {
                network_limits,
                tokens: tokens::State::new(&secrets, &self.settings),
                sessions: sessions::State::new(),
                studio: profiles::Studio::new(),
                settings: self.settings,
                clock: self.clock,
                random: self.random,
                database,
                secrets,
                hashing,
                mail,
                sms: self.sms,
                outbox,
                outbound,
                directory: social::Directory::default(),
            }),
        };
        auth.sessions().open().await?;
        Ok(auth)
    }
}
