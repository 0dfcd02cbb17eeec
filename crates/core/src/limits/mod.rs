//! How often: counters that slow guessing down without letting strangers lock owners out.
//!
//! Per-network counters live in memory; per-identifier ones in a table, counted before
//! hashing or comparing and given back on success. A known-device cookie has a counter of its
//! own, so a stranger's failures never block the owner's browser. What is counted is a keyed
//! digest, so the table does not say who was tried, and known and unknown identifiers look
//! the same in it.
//!
//! Owns the table `attempts`.

mod device;
mod networks;
mod sms;
mod store;

use std::time::Duration;

pub(crate) use networks::NetworkLimits;
pub(crate) use sms::SmsLimitError;

use crate::Auth;
use crate::client::{Client, Network};
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::ports::Token;
use crate::settings::LimitSettings;
use crate::time::{Timestamp, days, hours, seconds};

/// Failures are forgotten this long after the last one; a single one sooner, so that trying
/// many addresses once each does not fill the table.
const FAILURES_KEPT: Duration = days(30);
const ONE_FAILURE_KEPT: Duration = days(2);
/// How long a known-device cookie works after the last sign-in with it.
pub(crate) const DEVICE_LIFETIME: Duration = days(180);

/// Whoever asks too often, and when to ask again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany {
    /// The earliest moment that makes sense.
    pub retry_at: Timestamp,
}

/// Why something was not counted, or not let through.
#[derive(Debug)]
pub(crate) enum LimitError {
    /// Over the limit.
    TooMany(TooMany),
    /// The store failed.
    Internal(InternalError),
}

impl From<InternalError> for LimitError {
    fn from(error: InternalError) -> Self {
        Self::Internal(error)
    }
}

/// Whose failures are counted: an identifier's, or those of a browser the account knows.
#[derive(Clone, Copy)]
pub(crate) struct Subject([u8; 32]);

/// An attempt that was counted as failed before anything was compared.
#[derive(Clone, Copy)]
pub(crate) struct Reserved {
    subject: Subject,
    /// The block that this very attempt brought about.
    blocked_until: Timestamp,
}

/// An account as its known-device cookies are bound to it: a new password ends them.
#[derive(Clone, Copy)]
pub(crate) struct DeviceOwner {
    pub(crate) account: AccountId,
    pub(crate) password_changed_at: Option<Timestamp>,
}

/// What a mail is asked for; each is counted apart, so that asking for one cannot use up another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MailKind {
    /// A verification link, asked for again.
    Verification,
    /// A reset link.
    Reset,
    /// "You have an account already."
    AlreadyRegistered,
    /// A code to sign in with, by mail or SMS.
    SignInCode,
    /// A code to sign up with.
    SignUpCode,
    /// A code or link that proves a new address or number.
    AddressChange,
}

/// Why a request for a code is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CodeRefusal {
    /// This network asks for too many, whomever they go to.
    Network(TooMany),
    /// This network has asked for too many to this identifier: a live code may be sent again.
    Identifier(TooMany),
}

/// Limits of an `Auth`.
pub struct Limits<'a> {
    pub(crate) auth: &'a Auth,
}

impl Limits<'_> {
    /// Counts a password sign-in of this network.
    pub(crate) fn admit_sign_in(&self, network: Network) -> Result<(), TooMany> {
        let limits = &self.auth.inner.network_limits;
        limits.sign_ins.admit(&network, self.auth.clock().now())
    }

    /// Counts a sign-up of this network.
    pub(crate) fn admit_sign_up(&self, network: Network) -> Result<(), TooMany> {
        let limits = &self.auth.inner.network_limits;
        limits.sign_ups.admit(&network, self.auth.clock().now())
    }

    /// Counts an account that an identity is about to make for this network: a provider gives
    /// anybody as many identities as they ask for.
    pub(crate) fn admit_identity_account(&self, network: Network) -> Result<(), TooMany> {
        let limits = &self.auth.inner.network_limits;
        limits.identity_accounts.admit(&network, self.auth.clock().now())
    }

    /// Counts a picture that this account sends.
    pub(crate) fn admit_avatar(&self, account: AccountId) -> Result<(), TooMany> {
        let limits = &self.auth.inner.network_limits;
        limits.avatars.admit(&account, self.auth.clock().now())
    }

    /// Counts a mail that this network wants sent to this identifier.
    pub(crate) fn admit_mail(
        &self,
        kind: MailKind,
        network: Network,
        identifier: &str,
    ) -> Result<(), TooMany> {
        let digest = self.auth.secrets().digest("mail-limit", identifier.as_bytes());
        let limits = &self.auth.inner.network_limits;
        let now = self.auth.clock().now();
        limits.mail_requests.admit(&network, now)?;
        limits.mails.admit(&(kind, network, digest), now)
    }

    /// Counts a request of this network that might have led to a mail and did not.
    pub(crate) fn admit_mail_request(&self, network: Network) -> Result<(), TooMany> {
        let limits = &self.auth.inner.network_limits;
        limits.mail_requests.admit(&network, self.auth.clock().now())
    }

    /// Whether a network may bring this registration source: one that this node has seen, or one
    /// more new one.
    pub(crate) fn admits_source(&self, network: Network, url: &str) -> bool {
        let limits = &self.auth.inner.network_limits;
        if limits.known_sources.get(url).is_some() {
            return true;
        }
        let is_admitted = limits.new_sources.admit(&network, self.auth.clock().now()).is_ok();
        if is_admitted {
            limits.known_sources.insert(url.to_owned(), ());
        }
        is_admitted
    }

    /// Counts a code that this network wants sent to this identifier.
    pub(crate) fn admit_code(
        &self,
        kind: MailKind,
        network: Network,
        identifier: &str,
    ) -> Result<(), CodeRefusal> {
        let digest = self.auth.secrets().digest("mail-limit", identifier.as_bytes());
        let limits = &self.auth.inner.network_limits;
        let now = self.auth.clock().now();
        limits.mail_requests.admit(&network, now).map_err(CodeRefusal::Network)?;
        limits.mails.admit(&(kind, network, digest), now).map_err(CodeRefusal::Identifier)
    }

    /// Whose failures a wrong code counts for; they survive a new code (attack B02). The network
    /// that asked for the code has a counter of its own: whoever guesses elsewhere does not stop
    /// the person who waits for it.
    pub(crate) fn code_subject(
        &self,
        identifier: &str,
        is_asked_here: bool,
        owner: Option<DeviceOwner>,
        client: &Client,
    ) -> Subject {
        let secrets = self.auth.secrets();
        let known = owner.filter(|owner| self.knows_device(*owner, client));
        match known.and(client.device.as_ref()) {
            Some(cookie) => {
                Subject(secrets.digest("device-code-failures", cookie.reveal().as_bytes()))
            }
            None if is_asked_here => {
                let text = format!("{}:{identifier}", client.network());
                Subject(secrets.digest("code-failures-here", text.as_bytes()))
            }
            None => Subject(secrets.digest("code-failures", identifier.as_bytes())),
        }
    }

    /// Whose failures an attempt on this identifier counts for: the browser's own counter when
    /// it brings a genuine cookie of this very account, else the identifier's.
    pub(crate) fn password_subject(
        &self,
        identifier: &str,
        owner: Option<DeviceOwner>,
        client: &Client,
    ) -> Subject {
        let secrets = self.auth.secrets();
        let known = owner.zip(client.device.as_ref()).filter(|(owner, cookie)| {
            device::is_of(secrets, cookie, *owner, self.auth.clock().now())
        });
        match known {
            Some((_, cookie)) => {
                Subject(secrets.digest("device-failures", cookie.reveal().as_bytes()))
            }
            None => Subject(secrets.digest("password-failures", identifier.as_bytes())),
        }
    }

    /// Whose failures wrong second factors count for: the account's. Whoever gets that far has
    /// passed the first step.
    pub(crate) fn second_factor_subject(&self, account: AccountId) -> Subject {
        let id = account.uuid();
        Subject(self.auth.secrets().digest("second-factor-failures", id.as_bytes()))
    }

    /// Whose failures wrong recovery codes count for: the account's, apart from those of the
    /// app's codes, so that an app that was stopped by guesses can be got round by its owner.
    pub(crate) fn recovery_code_subject(&self, account: AccountId) -> Subject {
        let id = account.uuid();
        Subject(self.auth.secrets().digest("recovery-code-failures", id.as_bytes()))
    }

    /// The statements that forget the failures of both (a second step that was right, another
    /// factor, none at all).
    pub(crate) fn forgive_second_factor(&self, account: AccountId) -> [Statement; 2] {
        [self.second_factor_subject(account), self.recovery_code_subject(account)]
            .map(|subject| store::forget(subject.0))
    }

    /// Whether the client brings a genuine known-device cookie of this account.
    pub(crate) fn knows_device(&self, owner: DeviceOwner, client: &Client) -> bool {
        client.device.as_ref().is_some_and(|cookie| {
            device::is_of(self.auth.secrets(), cookie, owner, self.auth.clock().now())
        })
    }

    /// A new known-device cookie for an account that has just signed in.
    pub(crate) fn new_device(&self, owner: DeviceOwner) -> Token {
        let now = self.auth.clock().now();
        device::make(self.auth.secrets(), self.auth.random(), owner, now)
    }

    /// Counts an attempt as failed before anything is compared, so that parallel guesses cannot
    /// slip through; [`Limits::give_back`] takes it back when it turns out right. The delay
    /// doubles with each failure (NIST SP 800-63B-4 §3.2.2).
    pub(crate) async fn reserve(&self, subject: Subject) -> Result<Reserved, LimitError> {
        self.reserve_patiently(subject, Duration::ZERO).await
    }

    /// [`Limits::reserve`] by somebody who has to wait at least so long anyhow.
    pub(crate) async fn reserve_patiently(
        &self,
        subject: Subject,
        patience: Duration,
    ) -> Result<Reserved, LimitError> {
        let now = self.auth.clock().now();
        let settings = &self.auth.settings().limits;
        let mut counted = Batch::new().patient(patience);
        counted.add_returning(store::reserve(subject.0, settings, now));
        let rows = self.auth.database().write(counted).await;
        match rows.map_err(WriteError::unexpected)?.first() {
            Some(row) => Ok(Reserved { subject, blocked_until: row.time(0)? }),
            None => Err(LimitError::TooMany(self.blocked_until(subject, now).await?)),
        }
    }

    /// The must-change statement of [`Limits::reserve`], for a batch that also compares: counted
    /// and compared at once. The batch conflicts while the subject is blocked.
    pub(crate) fn count_failure(&self, subject: Subject, now: Timestamp) -> Statement {
        store::reserve(subject.0, &self.auth.settings().limits, now).must_change()
    }

    /// Why [`Limits::count_failure`] conflicted.
    pub(crate) async fn refused(&self, subject: Subject) -> LimitError {
        let now = self.auth.clock().now();
        self.blocked_until(subject, now)
            .await
            .map_or_else(LimitError::Internal, LimitError::TooMany)
    }

    /// The statement that forgets a subject's failures: something of it was right.
    #[expect(clippy::unused_self, reason = "a limit like the others")]
    pub(crate) fn forgive_failures(&self, subject: Subject) -> Statement {
        store::forget(subject.0)
    }

    async fn blocked_until(
        &self,
        subject: Subject,
        now: Timestamp,
    ) -> Result<TooMany, InternalError> {
        let row = self.auth.database().read_one(store::find(subject.0)).await?;
        let until = row.map_or(Ok(now), |row| row.time(0))?;
        Ok(TooMany { retry_at: until.max(now.plus(seconds(1))) })
    }

    /// Takes a single count back: nothing was compared after all, or it was right and could not
    /// be used. Never forgets other failures, so flooding the server resets nobody's counter.
    pub(crate) async fn take_back(&self, reserved: Reserved) -> Result<(), InternalError> {
        let undo = store::take_back(reserved.subject.0, reserved.blocked_until);
        let written = self.auth.database().write(undo.into()).await;
        written.map(|_| ()).map_err(WriteError::unexpected)
    }

    /// The statement that forgets a subject's failures; add it to the batch of the success.
    #[expect(clippy::unused_self, reason = "a limit like the others")]
    pub(crate) fn give_back(&self, reserved: Reserved) -> Statement {
        store::forget(reserved.subject.0)
    }

    /// The statement that forgets the failures of an identifier (a password reset).
    pub(crate) fn forgive(&self, identifier: &str) -> Statement {
        store::forget(self.auth.secrets().digest("password-failures", identifier.as_bytes()))
    }

    /// The must-change statement that counts one more mail to an identifier, whoever asks; the
    /// batch conflicts when there were too many within the hour.
    pub(crate) fn count_mail(&self, kind: MailKind, identifier: &str, now: Timestamp) -> Statement {
        let purpose = match kind {
            MailKind::Verification => "verification-mails-to",
            MailKind::Reset => "reset-mails-to",
            MailKind::AlreadyRegistered => "sign-up-mails-to",
            MailKind::SignInCode => "sign-in-codes-to",
            MailKind::SignUpCode => "sign-up-codes-to",
            MailKind::AddressChange => "address-changes-to",
        };
        let subject = self.auth.secrets().digest(purpose, identifier.as_bytes());
        let most = self.auth.settings().limits.mails_per_identifier_hour;
        store::count_within(subject, i64::from(most), now, now.plus(hours(1)))
    }

    /// Forgets counters nobody asks for any more; at most `limit` rows. Answers how many went.
    pub(crate) async fn sweep(&self, limit: i64) -> Result<usize, InternalError> {
        let now = self.auth.clock().now();
        self.auth.inner.network_limits.sweep();
        let swept = self.auth.database().write_returning(store::sweep(now, limit)).await;
        Ok(swept.map_err(WriteError::unexpected)?.len())
    }
}

/// The delays of the table, for its statement and for the documents: none before
/// `failures_before_delay`, then one second doubled with each failure up to an hour, then none
/// at all (blocked) from `failures_before_stop`.
pub(crate) const fn delay_starts_at(settings: &LimitSettings) -> i64 {
    settings.failures_before_delay as i64
}
