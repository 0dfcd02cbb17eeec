//! Identifiers: UUID version 7 (RFC 9562 §5.7), one type for each kind of thing.

use std::fmt;
use std::marker::PhantomData;

use uuid::Uuid;

use crate::ports::Random;
use crate::time::Timestamp;

/// The identifier of one kind of thing; `Of` only keeps kinds apart.
pub struct Id<Of> {
    uuid: Uuid,
    of: PhantomData<fn() -> Of>,
}

/// Marks identifiers of accounts.
#[derive(Debug)]
pub enum OfAccount {}
/// Marks identifiers of sessions.
#[derive(Debug)]
pub enum OfSession {}
/// Marks identifiers of one-time codes and links.
#[derive(Debug)]
pub enum OfCode {}
/// Marks identifiers of messages in the outbox.
#[derive(Debug)]
pub enum OfMessage {}
/// Marks identifiers of audit entries.
#[derive(Debug)]
pub enum OfAuditEntry {}
/// Marks identifiers of groups.
#[derive(Debug)]
pub enum OfGroup {}

/// Marks identifiers of identities that providers vouch for.
#[derive(Debug)]
pub enum OfIdentity {}
/// Marks identifiers of second factors' challenges.
#[derive(Debug)]
pub enum OfChallenge {}
/// Marks identifiers of recovery codes.
#[derive(Debug)]
pub enum OfRecoveryCode {}
/// Marks identifiers of registration sources.
#[derive(Debug)]
pub enum OfSource {}
/// Marks identifiers of pictures.
#[derive(Debug)]
pub enum OfAvatar {}
/// Marks identifiers of address changes.
#[derive(Debug)]
pub enum OfAddressChange {}

/// An account's identifier: the `sub` of its tokens.
pub type AccountId = Id<OfAccount>;
/// A session's identifier: the `sid` of its tokens. It holds the millisecond the session began.
pub type SessionId = Id<OfSession>;
/// Identifies a code or link we sent.
pub type CodeId = Id<OfCode>;
/// Identifies a queued message; also the stable part of its Message-ID (RFC 5322 §3.6.4).
pub type MessageId = Id<OfMessage>;
/// Identifies an audit entry.
pub type AuditEntryId = Id<OfAuditEntry>;
/// Identifies a group of accounts.
pub type GroupId = Id<OfGroup>;
/// Identifies an identity that a provider vouches for.
pub type IdentityId = Id<OfIdentity>;
/// Identifies a second factor's challenge.
pub type ChallengeId = Id<OfChallenge>;
/// Identifies a recovery code.
pub type RecoveryCodeId = Id<OfRecoveryCode>;
/// Identifies a registration source.
pub type SourceId = Id<OfSource>;
/// Identifies a picture; part of its public address, so made of randomness alone.
pub type AvatarId = Id<OfAvatar>;
/// Identifies a change of address or number.
pub type AddressChangeId = Id<OfAddressChange>;

impl<Of> Id<Of> {
    /// A new identifier: `now` in its first 48 bits, randomness in the rest.
    pub fn new(now: Timestamp, random: &dyn Random) -> Self {
        let mut tail = [0; 10];
        random.fill(&mut tail);
        let millis = now.micros().max(0).cast_unsigned() / 1_000;
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid().into()
    }

    /// The identifier as a plain UUID, as columns hold it.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.uuid
    }

    /// The millisecond it was made in, read from its first 48 bits.
    #[must_use]
    pub fn made_at(self) -> Timestamp {
        let millis = self.uuid.as_u128() >> 80;
        Timestamp::from_micros(i64::try_from(millis).unwrap_or(i64::MAX / 1_000) * 1_000)
    }

    /// Reads an identifier that came from outside; `None` when it is not a UUID.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self::from)
    }
}

impl<Of> From<Uuid> for Id<Of> {
    fn from(uuid: Uuid) -> Self {
        Self { uuid, of: PhantomData }
    }
}

impl<Of> Clone for Id<Of> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<Of> Copy for Id<Of> {}
impl<Of> PartialEq for Id<Of> {
    fn eq(&self, other: &Self) -> bool {
        self.uuid == other.uuid
    }
}
impl<Of> Eq for Id<Of> {}
impl<Of> std::hash::Hash for Id<Of> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.uuid.hash(state);
    }
}
impl<Of> fmt::Debug for Id<Of> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, out)
    }
}
impl<Of> fmt::Display for Id<Of> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uuid, out)
    }
}
