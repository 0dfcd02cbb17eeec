//! Passwords: the rules for new ones, and the hash gate that all hashing passes through.
//!
//! A fixed number of threads at low priority, each with one reused memory block; a bounded
//! queue, fair between client networks. Hashes of other systems verify and are upgraded at the
//! next sign-in. Stored hashes are sealed with the master key. An unknown account costs what a
//! known one does.

mod fair_queue;
mod gate;
mod mix;
mod recipe;
mod rules;
mod speed;
mod store;
mod stored;

use std::time::Duration;

pub use speed::{Costs, form, hashes_per_second};

use crate::Auth;
use crate::client::Network;
use crate::database::Statement;
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::ports::Token;
use crate::secrets::Place;
use crate::settings::PasswordSettings;
use crate::time::Timestamp;

/// Why a password cannot be taken as a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordProblem {
    /// Fewer code points than the setting asks for.
    TooShort {
        /// The least number of code points.
        least: usize,
    },
    /// More than 256 code points or 1,024 bytes.
    TooLong,
    /// Among the commonly used ones (ASVS 6.2.4).
    TooCommon,
    /// The same as the person's own address or name (ASVS 6.2.11).
    AboutYou,
}

/// Why the hash gate gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The wait would exceed the deadline.
    #[error("hashing is busy, try again in {retry_after:?}")]
    Busy {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// Hashing failed.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// A password hash as stored, opened: the PHC string or a foreign system's form.
#[derive(Clone)]
pub struct StoredHash(pub Token);

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The password is right; `upgrade` when it should be hashed anew with today's parameters.
    Right {
        /// Whether the stored hash is weaker than today's.
        upgrade: bool,
    },
    /// The password is wrong, or there is none to compare with.
    Wrong,
}

/// What stays between calls: the gate's threads, and what is known of the stored kinds.
pub(crate) struct Hashing {
    gate: gate::Gate,
    mix: mix::Mix,
    today: recipe::Function,
}

impl Hashing {
    /// As the settings say; costs nothing before the first hash.
    pub(crate) fn new(settings: &PasswordSettings) -> Self {
        Self {
            gate: gate::Gate::new(settings),
            mix: mix::Mix::new(),
            today: recipe::Function::today(settings),
        }
    }
}

/// The passwords of an `Auth`.
pub struct Passwords<'a> {
    pub(crate) auth: &'a Auth,
}

impl Passwords<'_> {
    /// Checks a new password against the rules; `about` holds the person's own address and
    /// names, of which an address's local part counts as one.
    pub fn check_new(&self, password: &Token, about: &[&str]) -> Result<(), PasswordProblem> {
        rules::check_new(password, self.auth.settings().passwords.least_length, about)
    }

    /// Whether the gate would take one more piece of work from this network now. Asked before
    /// anything is written, so a flood is turned away at no cost.
    pub fn admit(&self, network: Network) -> Result<(), GateError> {
        self.auth.hashing().gate.admit(network)
    }

    /// How long somebody of this network can do other things first without being hashed any
    /// later to speak of: a part of the wait for a slot, and nothing where there is none. What
    /// they write meanwhile shares a commit with others'.
    pub(crate) fn patience(&self, network: Network) -> Duration {
        self.auth.hashing().gate.patience(network)
    }

    /// Hashes a new password with today's parameters (PHC string, not sealed).
    pub async fn hash(&self, password: &Token, network: Network) -> Result<StoredHash, GateError> {
        let hashing = self.auth.hashing();
        let password = rules::normalised(password)
            .ok_or_else(|| InternalError::fault("a password was not checked before hashing"))?;
        let recipe = recipe::Recipe {
            function: hashing.today,
            salt: self.auth.random().bytes::<{ recipe::OUR_SALT }>().to_vec(),
            length: recipe::OUR_OUTPUT,
        };
        let output = hashing.gate.derive(recipe.clone(), password, network).await?;
        Ok(StoredHash(Token::new(stored::phc_string(&recipe, &output)?)))
    }

    /// Compares. Without a stored hash it does the same amount of work for nothing: the
    /// pretended hash's kind follows the stored mix, chosen by a keyed digest of `identifier_key`.
    pub async fn check_or_pretend(
        &self,
        stored: Option<&StoredHash>,
        password: &Token,
        identifier_key: &str,
        network: Network,
    ) -> Result<Verdict, GateError> {
        self.count_kinds_when_due();
        let hashing = self.auth.hashing();
        // Too long for any account alike, so this early answer tells nothing.
        let Some(normalised) = rules::normalised(password) else { return Ok(Verdict::Wrong) };

        let known = stored.and_then(parsed_or_logged);
        let recipe = known
            .as_ref()
            .map_or_else(|| self.pretended(identifier_key), |parsed| parsed.recipe.clone());
        // Other systems hash what was typed without normalising it.
        let is_foreign = recipe.function != hashing.today;
        let as_typed = is_foreign.then(|| rules::as_typed(password, &normalised)).flatten();

        for form in std::iter::once(normalised).chain(as_typed) {
            let output = hashing.gate.derive(recipe.clone(), form, network).await?;
            if let Some(known) = known.as_ref().filter(|known| known.matches(&output)) {
                return Ok(Verdict::Right { upgrade: known.is_dated(hashing.today) });
            }
        }
        Ok(Verdict::Wrong)
    }

    /// Seals a hash for its row and gives the statement that stores (or replaces) it. A hash of
    /// another system is taken as it is, if it is one that we can verify.
    pub fn store(
        &self,
        account: AccountId,
        hash: &StoredHash,
        now: Timestamp,
    ) -> Result<Statement, InternalError> {
        let text = hash.0.reveal();
        let parsed = stored::Parsed::of(text)
            .ok_or_else(|| InternalError::fault("a password hash of a form we do not verify"))?;
        let row = account.uuid();
        let sealed = self.auth.secrets().seal(place(row.as_bytes()), text.as_bytes())?;
        Ok(store::upsert(account, sealed, parsed.recipe.function.to_string(), now))
    }

    /// Opens what the column `passwords.sealed_hash` holds for an account.
    pub fn open(&self, account: AccountId, sealed: &[u8]) -> Result<StoredHash, InternalError> {
        let row = account.uuid();
        let text = self.auth.secrets().open(place(row.as_bytes()), sealed)?;
        let text = String::from_utf8(text)
            .map_err(|_| InternalError::fault("a stored password hash is not text"))?;
        Ok(StoredHash(Token::new(text)))
    }

    /// The statement that takes an account's password away (first proof by other means).
    #[must_use]
    pub fn remove(&self, account: AccountId) -> Statement {
        store::delete(account)
    }

    /// Counts the stored kinds now, as otherwise happens in the background.
    pub async fn count_kinds(&self) -> Result<(), InternalError> {
        let counts = store::list_kinds(self.auth.database()).await?;
        self.auth.hashing().mix.replace(counts);
        Ok(())
    }

    fn pretended(&self, identifier_key: &str) -> recipe::Recipe {
        let hashing = self.auth.hashing();
        let digest = self.auth.secrets().digest("pretended hash", identifier_key.as_bytes());
        hashing.mix.pick(digest, hashing.today).pretended()
    }

    /// Counts in the background, at the start and then every few minutes. Never on the path of a
    /// request: that would tell by its time.
    pub(crate) fn count_kinds_when_due(&self) {
        if !self.auth.hashing().mix.is_due(self.auth.clock().now()) {
            return;
        }
        let auth = self.auth.clone();
        tokio::spawn(async move {
            if let Err(error) = auth.passwords().count_kinds().await {
                tracing::warn!(%error, "the kinds of stored passwords could not be counted");
            }
        });
    }
}

/// A hash that cannot be read is as good as none; the operator has to know of it.
fn parsed_or_logged(stored: &StoredHash) -> Option<stored::Parsed> {
    let parsed = stored::Parsed::of(stored.0.reveal());
    if parsed.is_none() {
        tracing::error!("a stored password hash is of a form we do not verify");
    }
    parsed
}

fn place(row: &[u8]) -> Place<'_> {
    Place { table: "passwords", column: "sealed_hash", row }
}
