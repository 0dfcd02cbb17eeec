//! Accounts, sessions and tokens in a store before anything is measured, without the price of
//! ten thousand sign-ups: one password hash for all, sealed for each account as usual.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ironlatch_core::Auth;
use ironlatch_core::client::Network;
use ironlatch_core::credentials::password::StoredHash;
use ironlatch_core::database::{Batch, Statement};
use ironlatch_core::ids::{AccountId, SessionId};
use ironlatch_core::messages::LogTransport;
use ironlatch_core::ports::{Clock, MailTransport, SystemClock, Token};
use ironlatch_core::time::{Timestamp, days, micros_of};
use ironlatch_core::tokens::{AccessClaims, Chain, RefreshClaims};
use tempfile::TempDir;

/// Every account's password.
pub(crate) const PASSWORD: &str = "vierzehn Igel im Regen";

/// Rows of a kind in one batch.
const AT_ONCE: u32 = 1_000;

/// Where a server's data is; gone when dropped.
pub(crate) struct Store {
    folder: TempDir,
    url: String,
}

/// What was put into a store.
pub(crate) struct Seeded {
    pub(crate) accounts: Vec<Account>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Account {
    pub(crate) id: AccountId,
    pub(crate) number: u32,
}

impl Account {
    pub(crate) fn email(self) -> String {
        format!("person-{:x}@example.com", scattered(self.number))
    }
}

/// The address of nobody.
pub(crate) fn unknown_email(number: u32) -> String {
    format!("nobody-{:x}@example.com", scattered(number))
}

/// Neighbours by number are strangers by address, as in life. Odd factors lose nothing.
const fn scattered(number: u32) -> u64 {
    (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Store {
    /// An empty embedded one.
    pub(crate) fn embedded() -> anyhow::Result<Self> {
        // The server refuses a folder that others can look into.
        let private = std::fs::Permissions::from_mode(0o700);
        let folder =
            tempfile::Builder::new().prefix("ironlatch-bench-").permissions(private).tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("ironlatch.db").display());
        Ok(Self { folder, url })
    }

    /// One in a database that is elsewhere.
    pub(crate) fn at(url: &str) -> anyhow::Result<Self> {
        Ok(Self { url: url.to_owned(), ..Self::embedded()? })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn key_file(&self) -> PathBuf {
        self.folder().join("master.key")
    }

    /// Opens it as the server does, making the master key where there is none.
    pub(crate) async fn open(&self) -> anyhow::Result<Auth> {
        self.open_with(Arc::new(LogTransport), Arc::new(SystemClock)).await
    }

    /// The same with another way for mail to leave, by another clock.
    pub(crate) async fn open_with(
        &self,
        mail: Arc<dyn MailTransport>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Auth> {
        let file = self.key_file();
        if !file.exists() {
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&file)?;
            // Not a secret: it seals what is gone in a few minutes.
            file.write_all(&KEY)?;
        }
        let auth = Auth::builder().database(&self.url).master_key(KEY);
        auth.mail(mail).clock(clock).build().await.context("the store does not open")
    }
}

const KEY: [u8; 32] = *b"the bench's key, 32 bytes, open.";

/// Puts accounts with passwords and proven addresses into a store.
pub(crate) async fn accounts(auth: &Auth, count: u32) -> anyhow::Result<Seeded> {
    let network = Network::of(IpAddr::V4(Ipv4Addr::LOCALHOST));
    let hash = auth.passwords().hash(&Token::new(PASSWORD.to_owned()), network).await?;
    insert(auth, count, Some(&hash)).await
}

/// Puts accounts without passwords into a store, for those that are only looked up or sign in
/// with codes.
pub(crate) async fn bare_accounts(auth: &Auth, count: u32) -> anyhow::Result<Seeded> {
    insert(auth, count, None).await
}

async fn insert(auth: &Auth, count: u32, hash: Option<&StoredHash>) -> anyhow::Result<Seeded> {
    let now = auth.clock().now();
    let mut accounts = Vec::new();
    for first in (0..count).step_by(AT_ONCE as usize) {
        let mut batch = Batch::new();
        for number in first..count.min(first + AT_ONCE) {
            let account = Account { id: AccountId::new(now, auth.random()), number };
            batch.add(account_row(account, now));
            batch.add(profile_row(account, now));
            if let Some(hash) = hash {
                batch.add(auth.passwords().store(account.id, hash, now)?);
            }
            accounts.push(account);
        }
        auth.database().write(batch).await?;
    }
    Ok(Seeded { accounts })
}

fn account_row(account: Account, now: Timestamp) -> Statement {
    let email = account.email();
    let name = format!("person{:x}", scattered(account.number));
    Statement::new(
        "INSERT INTO accounts
                (id, number, email, email_key, email_verified_at, username, username_key, role,
                 is_staff, is_superuser, custom_fields, security_version, created_at,
                 created_from)
         VALUES ($1, $2, $3, $3, $4, $5, $5, 'user', $6, $6, '{}', 1, $4, 'bench')",
        [
            account.id.into(),
            i64::from(account.number).into(),
            email.as_str().into(),
            now.into(),
            name.as_str().into(),
            false.into(),
        ],
    )
}

/// Every account has one, however it is made.
fn profile_row(account: Account, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO profiles (account_id, name, created_at, updated_at) VALUES ($1, '', $2, $2)",
        [account.id.into(), now.into()],
    )
}

/// Opens sessions, so many in all, one account after the other, long enough ago that no refresh
/// counts as part of a burst.
pub(crate) async fn sessions(
    auth: &Auth,
    seeded: &Seeded,
    count: usize,
) -> anyhow::Result<Vec<(SessionId, Account)>> {
    let now = auth.clock().now().minus(Duration::from_mins(10));
    let owners: Vec<Account> = seeded.accounts.iter().copied().cycle().take(count).collect();
    let mut sessions = Vec::with_capacity(count);
    for owners in owners.chunks(AT_ONCE as usize) {
        let mut batch = Batch::new();
        for &owner in owners {
            let session = SessionId::new(now, auth.random());
            batch.add(session_row(session, owner, now));
            batch.add(Statement::new(
                "INSERT INTO session_chains
                        (session_id, kind, generation, parent, first_child, rotated_at)
                 VALUES ($1, 'cookie', 1, 0, 1, $2), ($1, 'body', 1, 0, 1, $2)",
                [session.into(), now.into()],
            ));
            sessions.push((session, owner));
        }
        auth.database().write(batch).await?;
    }
    Ok(sessions)
}

fn session_row(session: SessionId, owner: Account, now: Timestamp) -> Statement {
    Statement::new(
        "INSERT INTO sessions (id, account_id, door, amr, auth_time, user_agent, network,
                cookie_digest, created_at, last_used_at, idle_for, ends_at)
         VALUES ($1, $2, 'api', 'pwd', $3, 'bench/1', '127.0.0.1', NULL, $3, $3, $4, $5)",
        [
            session.into(),
            owner.id.into(),
            now.into(),
            micros_of(days(14)).into(),
            now.plus(days(90)).into(),
        ],
    )
}

/// A fresh access token of a session.
pub(crate) fn access_token(
    auth: &Auth,
    session: SessionId,
    owner: Account,
) -> anyhow::Result<Token> {
    let now = auth.clock().now();
    Ok(auth.tokens().write_access(&AccessClaims {
        account: owner.id,
        number: owner.number.into(),
        session,
        amr: vec!["pwd".to_owned()],
        auth_time: now.seconds(),
        security_version: 1,
        issued_at: now.seconds(),
        expires_at: now.plus(auth.settings().tokens.api.access).seconds(),
    })?)
}

/// The first token of a session's body chain, as its sign-in gave it out.
pub(crate) fn refresh_token(
    auth: &Auth,
    session: SessionId,
    owner: Account,
) -> anyhow::Result<Token> {
    let issued = session.made_at();
    Ok(auth.tokens().write_refresh(&RefreshClaims {
        door: ironlatch_core::sessions::Door::Api,
        session,
        chain: Chain::Body,
        generation: 1,
        issued_at: issued.seconds(),
        expires_at: issued.plus(days(14)).seconds(),
        account: owner.id,
        number: owner.number.into(),
        amr: vec!["pwd".to_owned()],
        auth_time: issued.seconds(),
        security_version: 1,
    })?)
}
