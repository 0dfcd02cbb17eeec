//! Passwords: the rules for new ones, and the hash gate that all hashing passes through.
//!
//! A fixed number of threads at low priority, each with one reused memory block; a bounded
//! queue, fair between client networks. Hashes of other systems verify and are upgraded at the
//! next sign-in. Stored hashes are sealed with the master key.

use std::time::Duration;

use crate::Auth;
use crate::client::Network;
use crate::database::Statement;
use crate::error::InternalError;
use crate::ids::AccountId;
use crate::ports::Token;
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

/// The passwords of an `Auth`.
pub struct Passwords<'a> {
    pub(crate) auth: &'a Auth,
}

impl Passwords<'_> {
    /// Checks a new password against the rules; `about` holds the person's own address and names.
    pub fn check_new(&self, password: &Token, about: &[&str]) -> Result<(), PasswordProblem> {
        todo!("{password:?} {about:?}")
    }

    /// Whether the gate would take one more piece of work from this network now. Asked before
    /// anything is written, so a flood is turned away at no cost.
    pub fn admit(&self, network: Network) -> Result<(), GateError> {
        todo!("{network:?}")
    }

    /// Hashes a new password with today's parameters (PHC string, not sealed).
    pub async fn hash(&self, password: &Token, network: Network) -> Result<StoredHash, GateError> {
        todo!("{password:?} {network:?}")
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
        todo!("{:?} {password:?} {identifier_key} {network:?}", stored.is_some())
    }

    /// Seals a hash for its row and gives the statement that stores (or replaces) it.
    pub fn store(
        &self,
        account: AccountId,
        hash: &StoredHash,
        now: Timestamp,
    ) -> Result<Statement, InternalError> {
        todo!("{account:?} {:?} {now:?}", hash.0)
    }

    /// Opens what the column `passwords.sealed_hash` holds for an account.
    pub fn open(&self, account: AccountId, sealed: &[u8]) -> Result<StoredHash, InternalError> {
        todo!("{account:?} {sealed:?}")
    }

    /// The statement that takes an account's password away (first proof by other means).
    #[must_use]
    pub fn remove(&self, account: AccountId) -> Statement {
        todo!("{account:?}")
    }
}
