//! Sign-up: the only place that makes accounts, the command line included.

use std::time::Duration;

use super::candidate::Candidate;
use super::mails::whereabouts;
use super::{Arrival, SignIn};
use crate::accounts::{self, Contact, Email, NewRow, Username};
use crate::audit::{Entry, Event};
use crate::credentials::password::{GateError, PasswordProblem, StoredHash};
use crate::database::{Batch, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::limits::{MailKind, TooMany};
use crate::messages::Message;
use crate::one_time_codes::{LinkFor, Purpose};
use crate::ports::Token;
use crate::profiles::{self, FullName};
use crate::sessions::Door;
use crate::settings::{VERIFICATION_LIFETIME, verification_lifetime};
use crate::time::Timestamp;

/// Largest account number plus one: what a JavaScript number holds exactly.
const NUMBERS: u64 = 1 << 53;
/// Tries to find a free account number; two in a row taken would already be a marvel.
const NUMBER_TRIES: usize = 3;

/// Somebody asks for an account.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// The wished name, where the door has names.
    pub username: Option<Username>,
    /// The address.
    pub email: Email,
    /// The whole name, where the door asks for one; for the profile.
    pub name: Option<FullName>,
    /// The password.
    pub password: Token,
    /// How they come.
    pub arrival: Arrival,
}

/// An account was made, or (neutral sign-up) it only looks so.
#[derive(Debug, Clone)]
pub struct SignedUp {
    /// What the contract's `verification_token` shows: a decoy, in development the real one.
    pub shown_token: Token,
    /// Cookie by which the verification page knows the browser that signed up.
    pub browser: Token,
    /// How long that cookie may be kept: as long as the link lives.
    pub browser_lifetime: Duration,
}

/// Why a sign-up failed.
#[derive(Debug, thiserror::Error)]
pub enum SignUpError {
    /// Name or address belong to somebody. With neutral sign-up only ever the name.
    #[error("taken")]
    Taken {
        /// The name is taken.
        username: bool,
        /// The address is taken.
        email: bool,
    },
    /// The password breaks a rule.
    #[error("the password cannot be used")]
    Password(PasswordProblem),
    /// The role is not among the configured ones.
    #[error("the role must be one of: {known}")]
    UnknownRole {
        /// The configured roles, comma separated.
        known: String,
    },
    /// Too many sign-ups from this network.
    #[error("too many attempts, try again at {retry_at:?}")]
    TooManyAttempts {
        /// When trying again makes sense.
        retry_at: Timestamp,
    },
    /// The server is busy.
    #[error("busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Something of ours failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// An account an operator makes at the command line.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The address; counts as proven, the operator vouches for it.
    pub email: Email,
    /// The name.
    pub username: Option<Username>,
    /// A first password; without one the person sets it through a reset mail.
    pub password: Option<Token>,
    /// May use the console.
    pub is_staff: bool,
    /// Has every permission.
    pub is_superuser: bool,
    /// One of the configured roles; `None` is the default one.
    pub role: Option<String>,
}

/// Which of the two is somebody's already.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) username: bool,
    /// The address as its owner typed it.
    email: Option<String>,
}

impl From<Taken> for SignUpError {
    fn from(taken: Taken) -> Self {
        Self::Taken { username: taken.username, email: taken.email.is_some() }
    }
}

impl SignIn<'_> {
    /// Makes an account and mails its address a verification link.
    ///
    /// With neutral sign-up a taken address gets the same answer after the same work, and its
    /// owner a mail that they have an account already.
    pub async fn sign_up(&self, wish: SignUp) -> Result<SignedUp, SignUpError> {
        let network = wish.arrival.client.network();
        let about = [Some(wish.email.as_typed()), wish.username.as_ref().map(Username::as_typed)];
        let about: Vec<&str> = about.into_iter().flatten().collect();
        self.auth.passwords().check_new(&wish.password, &about).map_err(SignUpError::Password)?;
        self.auth.limits().admit_sign_up(network)?;
        self.auth.passwords().admit(network)?;

        let taken = self.taken(wish.username.as_ref(), &wish.email).await?;
        self.refuse_taken(&taken, wish.arrival.door)?;
        let hash = self.auth.passwords().hash(&wish.password, network).await?;
        if let Some(owner) = taken.email {
            return self.pretend(&wish, &owner).await;
        }
        for _ in 0..NUMBER_TRIES {
            if let Some(signed_up) = self.insert(&wish, &hash).await? {
                return Ok(signed_up);
            }
            // Somebody else took the name or the address meanwhile, or the number was taken.
            let taken = self.taken(wish.username.as_ref(), &wish.email).await?;
            self.refuse_taken(&taken, wish.arrival.door)?;
            if let Some(owner) = taken.email {
                return self.pretend(&wish, &owner).await;
            }
        }
        Err(InternalError::fault("no account number was free").into())
    }

    /// Makes an account for an operator, who vouches for its address.
    pub async fn create_account(&self, new: NewAccount) -> Result<AccountId, SignUpError> {
        let settings = &self.auth.settings().accounts;
        let role = new.role.as_deref().unwrap_or(&settings.default_role);
        if !settings.roles.iter().any(|known| known == role) {
            return Err(SignUpError::UnknownRole { known: settings.roles.join(", ") });
        }
        let taken = self.taken(new.username.as_ref(), &new.email).await?;
        if taken.username || taken.email.is_some() {
            return Err(taken.into());
        }
        let now = self.auth.clock().now();
        let row = NewRow {
            id: AccountId::new(now, self.auth.random()),
            number: self.new_number(),
            email: Some((new.email.as_typed(), new.email.key())),
            email_verified_at: Some(now),
            username: new.username.as_ref().map(|name| (name.as_typed(), name.key())),
            phone: None,
            phone_verified_at: None,
            last_sign_in_at: None,
            role,
            is_staff: new.is_staff,
            is_superuser: new.is_superuser,
            created_at: now,
            created_from: "the command line",
        };
        let mut batch = Batch::new();
        batch.add(accounts::insert(&row));
        batch.add(profiles::create(row.id, None, now));
        if let Some(password) = &new.password {
            let passwords = self.auth.passwords();
            let about = [new.email.as_typed()];
            passwords.check_new(password, &about).map_err(SignUpError::Password)?;
            let here = crate::client::Network::of(std::net::Ipv4Addr::LOCALHOST.into());
            batch.add(passwords.store(row.id, &passwords.hash(password, here).await?, now)?);
        }
        batch.add(self.signed_up_entry(row.id, now));
        match self.auth.database().write(batch).await {
            Ok(_) => Ok(row.id),
            Err(WriteError::Conflict { .. }) => {
                let taken = self.taken(new.username.as_ref(), &new.email).await?;
                Err(taken.into())
            }
            Err(WriteError::Internal(cause)) => Err(cause.into()),
        }
    }

    /// Writes everything a sign-up makes; `None` when a unique index refused it.
    async fn insert(
        &self,
        wish: &SignUp,
        hash: &StoredHash,
    ) -> Result<Option<SignedUp>, InternalError> {
        let now = self.auth.clock().now();
        let id = AccountId::new(now, self.auth.random());
        let browser = self.auth.random().token();
        let link = self.auth.one_time_codes().new_link_until(
            &LinkFor {
                purpose: Purpose::VerifyEmail,
                account: id,
                target_key: wish.email.key(),
                browser: Some(&browser),
                details: None,
            },
            now,
            now.plus(verification_lifetime(wish.arrival.door)),
        );
        let mut batch = Batch::new();
        batch.add(accounts::insert(&NewRow {
            id,
            number: self.new_number(),
            email: Some((wish.email.as_typed(), wish.email.key())),
            email_verified_at: None,
            username: wish.username.as_ref().map(|name| (name.as_typed(), name.key())),
            phone: None,
            phone_verified_at: None,
            last_sign_in_at: None,
            role: self.auth.settings().default_role(wish.arrival.door),
            is_staff: false,
            is_superuser: false,
            created_at: now,
            created_from: &whereabouts(&wish.arrival.client),
        }));
        batch.add(profiles::create(id, wish.name.as_ref(), now));
        batch.add(self.auth.passwords().store(id, hash, now)?);
        batch.add(link.statement);
        let mail =
            Message::VerifyEmail { link: self.verification_link(&link.token, wish.arrival.door) };
        let messages = self.auth.messages();
        batch.add(messages.queue(wish.email.as_typed(), &mail, now, link.expires_at)?);
        let entry = Entry::new(Event::SignedUp).account(id).network(wish.arrival.client.network());
        batch.add(entry.statement(now, self.auth.random()));
        batch.extend(self.came_from(&wish.arrival, id, true, now));
        match self.auth.database().write(batch).await {
            Ok(_) => {}
            Err(WriteError::Conflict { .. }) => return Ok(None),
            Err(WriteError::Internal(cause)) => return Err(cause),
        }
        messages.wake();
        let shown = self.auth.settings().development.then_some(link.token);
        Ok(Some(self.answer(shown, browser, wish.arrival.door)))
    }

    /// Neutral sign-up with a taken address: the owner is told, the caller sees no difference. The
    /// wished name is kept as long as that of an account nobody proves, or a second sign-up with
    /// it would tell what became of the first.
    async fn pretend(&self, wish: &SignUp, owner: &str) -> Result<SignedUp, SignUpError> {
        let now = self.auth.clock().now();
        let page = self.reset_page(wish.arrival.door);
        let mail = Message::AlreadyRegistered { reset_link_page: page };
        let lifetime = VERIFICATION_LIFETIME;
        let messages = self.auth.messages();
        let mut batch = Batch::new();
        let kind = MailKind::AlreadyRegistered;
        batch.add(self.auth.limits().count_mail(kind, wish.email.key(), now));
        // To the address as its owner typed it: what the asker typed may be another mailbox.
        batch.add(messages.queue(owner, &mail, now, now.plus(lifetime))?);
        match self.auth.database().write(batch).await {
            // Too many mails to this address: it has been told often enough.
            Ok(_) | Err(WriteError::Conflict { .. }) => {}
            Err(WriteError::Internal(cause)) => return Err(cause.into()),
        }
        self.keep_name(wish, now).await?;
        messages.wake();
        Ok(self.answer(None, self.auth.random().token(), wish.arrival.door))
    }

    /// An account that has a name and nothing else; nobody can sign in to it.
    async fn keep_name(&self, wish: &SignUp, now: Timestamp) -> Result<(), InternalError> {
        let Some(name) = &wish.username else { return Ok(()) };
        let row = NewRow {
            id: AccountId::new(now, self.auth.random()),
            number: self.new_number(),
            email: None,
            email_verified_at: None,
            username: Some((name.as_typed(), name.key())),
            phone: None,
            phone_verified_at: None,
            last_sign_in_at: None,
            role: self.auth.settings().default_role(wish.arrival.door),
            is_staff: false,
            is_superuser: false,
            created_at: now,
            created_from: &whereabouts(&wish.arrival.client),
        };
        match self.auth.database().write(accounts::insert(&row).into()).await {
            Ok(_) | Err(WriteError::Conflict { .. }) => Ok(()),
            Err(WriteError::Internal(cause)) => Err(cause),
        }
    }

    /// The statement that makes an account with an address, a number or neither, as `new` is.
    pub(super) fn account_row(
        &self,
        new: &Candidate,
        contact: Option<&Contact>,
        username: Option<&Username>,
        door: Door,
    ) -> Statement {
        let typed = contact.map(|contact| (contact.as_typed(), contact.key()));
        let is_email = matches!(contact, Some(Contact::Email(_)));
        accounts::insert(&NewRow {
            id: new.id,
            number: new.number,
            email: typed.filter(|_| is_email),
            email_verified_at: new.email_verified_at,
            username: username.map(|name| (name.as_typed(), name.key())),
            phone: typed.filter(|_| !is_email),
            phone_verified_at: new.phone_verified_at,
            last_sign_in_at: new.last_sign_in_at,
            role: self.auth.settings().default_role(door),
            is_staff: false,
            is_superuser: false,
            created_at: new.created_at,
            created_from: &new.created_from,
        })
    }

    fn answer(&self, real_token: Option<Token>, browser: Token, door: Door) -> SignedUp {
        let decoy = || uuid::Builder::from_random_bytes(self.auth.random().bytes()).into_uuid();
        SignedUp {
            shown_token: real_token.unwrap_or_else(|| Token::new(decoy().to_string())),
            browser,
            browser_lifetime: verification_lifetime(door),
        }
    }

    pub(super) async fn taken(
        &self,
        username: Option<&Username>,
        email: &Email,
    ) -> Result<Taken, InternalError> {
        let statement = accounts::taken(username.map(Username::key), email.key());
        let row = self.auth.database().read_one(statement).await?;
        let row = row.ok_or_else(|| InternalError::fault("no answer to what is taken"))?;
        Ok(Taken { username: row.bool(0)?, email: row.optional_text(1)? })
    }

    /// A name that is taken is told in any case, since it cannot be given twice; an address
    /// only where sign-up reveals it.
    fn refuse_taken(&self, taken: &Taken, door: Door) -> Result<(), SignUpError> {
        let email = taken.email.is_some() && self.auth.settings().reveals_taken(door);
        if taken.username || email {
            return Err(SignUpError::Taken { username: taken.username, email });
        }
        Ok(())
    }

    pub(super) fn signed_up_entry(&self, id: AccountId, now: Timestamp) -> Statement {
        Entry::new(Event::SignedUp).account(id).statement(now, self.auth.random())
    }

    pub(super) fn new_number(&self) -> i64 {
        let random = u64::from_be_bytes(self.auth.random().bytes());
        (random % (NUMBERS - 1)).cast_signed() + 1
    }
}

impl From<GateError> for SignUpError {
    fn from(error: GateError) -> Self {
        match error {
            GateError::Busy { retry_after } => Self::Busy { retry_after },
            GateError::Internal(cause) => Self::Internal(cause),
        }
    }
}

impl From<TooMany> for SignUpError {
    fn from(refused: TooMany) -> Self {
        Self::TooManyAttempts { retry_at: refused.retry_at }
    }
}
