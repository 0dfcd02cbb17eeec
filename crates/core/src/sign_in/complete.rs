//! Where every way in ends: the one place that turns a passed proof into a session.

use std::time::Duration;

use super::candidate::Candidate;
use super::linking::Federated;
use super::mails::whereabouts;
use super::second_factor::{Challenge, FirstStep};
use super::{Arrival, Previous, START_AGAIN, SignIn, SignInError};
use crate::accounts::{self, Account};
use crate::audit::{Entry, Event};
use crate::client::Client;
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::limits::DEVICE_LIFETIME;
use crate::messages::Message;
use crate::ports::Token;
use crate::sessions::{Door, Proof, Started};
use crate::time::Timestamp;

/// What a correct proof leads to.
#[derive(Debug, Clone)]
pub enum Step {
    /// Every step is passed.
    SignedIn(Box<SignedIn>),
    /// The account asks for a second factor: no session yet.
    SecondFactor(Challenge),
}

/// A person who is in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// Whose account.
    pub account: Account,
    /// The session with its tokens.
    pub started: Started,
    /// The known-device cookie to set: keeps strangers' failures from locking this browser out.
    pub device: Token,
    /// How long that cookie may be kept.
    pub device_lifetime: Duration,
    /// Whether this proof made the account.
    pub is_new: bool,
    /// The door the session was opened at: that of the first step, where there were two.
    pub door: Door,
}

/// The ways in. Each ends in `SignIn::complete`; a test asks the same of every one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// An address or a name, and a password.
    Password,
    /// A code sent by mail or SMS.
    Code,
    /// The link in a code's mail.
    Link,
    /// An identity that a provider vouches for.
    Social,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Password, Self::Code, Self::Link, Self::Social];

    /// The way that a first step of these `amr` values was.
    pub(super) fn of_methods(methods: &[&str]) -> Self {
        if methods.contains(&"pwd") {
            Self::Password
        } else if methods.contains(&"fed") {
            Self::Social
        } else {
            Self::Code
        }
    }

    /// The word in the audit.
    const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Link => "link",
            Self::Social => "social",
        }
    }
}

/// A proof that was right, and what must be written with it.
pub(super) struct Passed {
    way: Way,
    found: Candidate,
    /// `amr` values (RFC 8176).
    methods: Vec<&'static str>,
    proven_at: Option<Timestamp>,
    /// The statement that makes the account, if the proof makes it.
    made: Option<Statement>,
    /// What is written with the success, e.g. a code's consumption. Must-change statements in
    /// it keep the success single.
    batch: Batch,
    /// By how much `batch` raises the account's `security_version`.
    raised_by: i64,
    /// Whether the second factor is among what was proven.
    is_second_factor_proven: bool,
    /// Which provider vouched, and what is connected once every step is passed.
    federated: Option<Federated>,
}

impl Passed {
    /// A proof for an account that exists, as it was read together with the credential.
    pub(super) fn existing(
        way: Way,
        found: Candidate,
        methods: Vec<&'static str>,
        batch: Batch,
    ) -> Self {
        let (proven_at, made, raised_by) = (None, None, 0);
        let (is_second_factor_proven, federated) = (false, None);
        Self {
            way,
            found,
            methods,
            proven_at,
            made,
            batch,
            raised_by,
            is_second_factor_proven,
            federated,
        }
    }

    /// A proof whose batch raises the account's `security_version` so often (a first proof).
    pub(super) fn raising(self, raised_by: i64) -> Self {
        Self { raised_by, ..self }
    }

    /// A proof that a provider vouched for.
    pub(super) fn vouched(self, federated: Option<Federated>) -> Self {
        Self { federated, ..self }
    }

    /// A proof that makes its account: `made` inserts it as `found` describes it.
    pub(super) fn making(self, made: Statement) -> Self {
        Self { made: Some(made), ..self }
    }

    /// A second step: the first was proven then.
    pub(super) fn second_step(self, proven_at: Timestamp) -> Self {
        Self { proven_at: Some(proven_at), is_second_factor_proven: true, ..self }
    }
}

/// A session about to be opened.
pub(super) struct Opening {
    found: Candidate,
    pub(super) proof: Proof,
    is_new: bool,
    /// Whether the account's `security_version` rises.
    is_raised: bool,
    has_mail: bool,
}

impl SignIn<'_> {
    /// Opens a session for somebody whose proof was right, or asks for the second factor.
    ///
    /// Proving takes time in which an account can be disabled or reset: the batch begins with a
    /// statement that changes nothing unless the account still is what it was when its
    /// credential was read, and the whole sign-in then starts again
    /// ([`SignInError::Busy`]).
    pub(super) async fn complete(
        &self,
        passed: Passed,
        arrival: &Arrival,
    ) -> Result<Step, SignInError> {
        if !passed.found.is_active() {
            return Err(SignInError::WrongCredentials);
        }
        if passed.found.has_second_factor && !passed.is_second_factor_proven {
            let Passed { found, methods, batch, raised_by, federated, .. } = passed;
            let security_version = found.security_version + raised_by;
            let first_step = FirstStep { found, methods, security_version, batch, federated };
            return Ok(Step::SecondFactor(self.challenge(first_step, arrival).await?));
        }
        let now = self.auth.clock().now();
        let opening = self.opening(passed, arrival, now)?;
        let Opening { found, proof, is_new, is_raised, has_mail } = opening;
        let started = self.auth.sessions().start(proof, arrival.door, &arrival.client).await;
        let started = match started {
            Ok(started) => started,
            Err(WriteError::Conflict { .. }) => {
                return Err(SignInError::Busy { retry_after: START_AGAIN });
            }
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        };
        if is_raised {
            self.auth.sessions().catch_up().await?;
        }
        self.end_somebody_elses_session(&found, arrival).await?;
        if has_mail {
            self.auth.messages().wake();
        }
        self.signed_in(found, started, is_new, arrival.door).await
    }

    /// Everything a session's batch begins with.
    pub(super) fn opening(
        &self,
        passed: Passed,
        arrival: &Arrival,
        now: Timestamp,
    ) -> Result<Opening, InternalError> {
        let Passed {
            way,
            mut found,
            methods,
            proven_at,
            made,
            batch,
            mut raised_by,
            federated,
            ..
        } = passed;
        let is_new = made.is_some();
        let mut opening = Batch::from(
            made.unwrap_or_else(|| accounts::signed_in(found.id, found.security_version, now)),
        )
        .patient(batch.patience());
        opening.append(batch);
        let mut details = serde_json::json!({ "way": way.word(), "door": arrival.door.word() });
        if let Some(Federated { provider, joining }) = &federated {
            if let Some(entry) = details.as_object_mut() {
                entry.insert("provider".to_owned(), provider.as_str().into());
            }
            if let Some(joining) = joining {
                let version = found.security_version + raised_by;
                opening.append(self.joined((&found, version), joining, &arrival.client, now)?);
                raised_by += 1;
            }
        }
        // A first proof greets, and a second step may tell of a recovery code.
        let mut has_mail = is_new || raised_by > 0 || proven_at.is_some();
        if !is_new {
            let notice = self.new_device_notice(&found, &arrival.client, now)?;
            has_mail |= notice.is_some();
            opening.extend(notice);
        }
        let entry = Entry::new(Event::SignedIn).account(found.id).details(details);
        let entry = entry.network(arrival.client.network());
        opening.add(entry.statement(now, self.auth.random()));
        opening.extend(self.came_from(arrival, found.id, is_new, now));
        // The report tells how many who asked for a code came back with it.
        if is_new && way != Way::Social {
            opening.extend(self.count_verified(arrival, now));
        }
        // What follows changes nothing else of the account that its sessions see.
        found.plain = found.plain.filter(|_| raised_by == 0);
        found.last_sign_in_at = Some(now);
        let proof = Proof {
            account: found.id,
            number: found.number,
            methods,
            proven_at: proven_at.unwrap_or(now),
            security_version: found.security_version + raised_by,
            batch: opening,
        };
        Ok(Opening { found, proof, is_new, is_raised: raised_by > 0, has_mail })
    }

    async fn signed_in(
        &self,
        found: Candidate,
        started: Started,
        is_new: bool,
        door: Door,
    ) -> Result<Step, SignInError> {
        let (id, device_owner) = (found.id, found.device_owner());
        let sessions = self.auth.sessions();
        let account = match found.into_account() {
            Some((account, reading)) => Some(sessions.remember(account, reading)),
            None => sessions.account(id).await?,
        };
        let account = account.ok_or_else(|| InternalError::fault("a signed-in account is gone"))?;
        Ok(Step::SignedIn(Box::new(SignedIn {
            account: (*account).clone(),
            started,
            device: self.auth.limits().new_device(device_owner),
            device_lifetime: DEVICE_LIFETIME,
            is_new,
            door,
        })))
    }

    /// Tells the owner of a sign-in from a network and browser the account has never seen
    /// (ASVS 6.3.5). The first sign-in of all is no news.
    fn new_device_notice(
        &self,
        found: &Candidate,
        client: &Client,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let is_known = found.is_known_network
            || found.last_sign_in_at.is_none()
            || found.email_verified_at.is_none()
            || self.auth.limits().knows_device(found.device_owner(), client);
        if is_known {
            return Ok(None);
        }
        let notice = Message::NewDevice {
            at: now,
            from: client.network().to_string(),
            device: whereabouts(client),
        };
        self.notice(found, &notice, now)
    }

    /// A browser that signs in over another account's session leaves that account first.
    async fn end_somebody_elses_session(
        &self,
        found: &Candidate,
        arrival: &Arrival,
    ) -> Result<(), InternalError> {
        let Some((account, session)) = self.previous(&arrival.previous).await? else {
            return Ok(());
        };
        if account != found.id {
            self.auth.sessions().end_replaced(account, session, &arrival.client).await?;
        }
        Ok(())
    }

    /// Whose session the browser still held; tokens nobody knows are nobody's.
    async fn previous(
        &self,
        previous: &Previous,
    ) -> Result<Option<(AccountId, SessionId)>, InternalError> {
        let now = self.auth.clock().now();
        let tokens = self.auth.tokens();
        Ok(match previous {
            Previous::Nothing => None,
            Previous::Refresh(token) => {
                let claims = tokens.read_refresh(token.reveal(), now).ok();
                claims.map(|claims| (claims.account, claims.session))
            }
            Previous::Access(token) => {
                let genuine = tokens.genuine_access(token.reveal(), now);
                genuine.map(|genuine| (genuine.claims.account, genuine.claims.session))
            }
            Previous::Cookie(cookie) => self.auth.sessions().of_cookie(cookie, now).await?,
        })
    }
}
