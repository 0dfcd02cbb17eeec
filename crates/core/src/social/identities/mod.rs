//! Identities: who a provider says somebody is, and whose account that is.
//!
//! One identity belongs to one account; the unique index decides whose. Rows are made by a
//! sign-in or by their account's owner, and go when the account is closed or emptied.

mod store;

pub(crate) use store::{disconnect, disconnect_all};

use serde::{Deserialize, Serialize};

use super::{Social, Vouched};
use crate::database::Statement;
use crate::error::InternalError;
use crate::ids::{AccountId, IdentityId};
use crate::ports::Token;
use crate::secrets::Place;
use crate::time::Timestamp;

/// How many identities an account may have.
pub(crate) const MOST_IDENTITIES: usize = 20;
/// The most bytes of a provider's profile that are kept; of a larger one nothing is.
const LARGEST_PROFILE: usize = 16 * 1_024;

/// An identity as it is stored, without the provider's tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: IdentityId,
    pub(crate) provider: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// A JSON object as text.
    pub(crate) profile: String,
    pub(crate) created_at: Timestamp,
    pub(crate) last_used_at: Timestamp,
}

/// An identity that is to be connected. The second step of a sign-in may come in between, and
/// what a provider handed out for keeping does not wait for it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Joining {
    provider: String,
    issuer: String,
    subject: String,
    profile: String,
    #[serde(skip)]
    tokens: Option<Token>,
}

impl Joining {
    /// The provider's configured name.
    pub(crate) fn provider(&self) -> &str {
        &self.provider
    }
}

impl From<&Vouched> for Joining {
    fn from(vouched: &Vouched) -> Self {
        Self {
            provider: vouched.provider.clone(),
            issuer: vouched.issuer.clone(),
            subject: vouched.subject.clone(),
            profile: bounded(&vouched.profile).to_owned(),
            tokens: vouched.tokens.clone(),
        }
    }
}

impl Social<'_> {
    /// The tokens of a provider that vouched for this account, a JSON object; `None` unless
    /// `store_tokens` is on for it. Of several identities, those of the one used last. For the
    /// application: nothing shows them over HTTP (attack C20).
    pub async fn provider_tokens(
        &self,
        account: AccountId,
        provider: &str,
    ) -> Result<Option<Token>, InternalError> {
        let row = self.auth.database().read_one(store::find_tokens(account, provider)).await?;
        let Some(row) = row else { return Ok(None) };
        let id: IdentityId = row.id(0)?;
        let clear = self.auth.secrets().open(place(id.uuid().as_bytes()), &row.bytes(1)?)?;
        String::from_utf8(clear).map(|text| Some(Token::new(text))).map_err(InternalError::fault)
    }

    /// The identities of an account, the oldest first.
    pub(crate) async fn identities(
        &self,
        account: AccountId,
    ) -> Result<Vec<Identity>, InternalError> {
        let rows = self.auth.database().read(store::list(account)).await?;
        rows.iter().map(store::identity).collect()
    }

    /// The statement that connects an identity to an account; conflicts where it is somebody's.
    pub(crate) fn connecting(
        &self,
        account: AccountId,
        joining: &Joining,
        now: Timestamp,
    ) -> Result<(IdentityId, Statement), InternalError> {
        let id = IdentityId::new(now, self.auth.random());
        let statement = store::insert(&store::NewIdentity {
            id,
            account,
            provider: &joining.provider,
            issuer: &joining.issuer,
            subject: &joining.subject,
            profile: &joining.profile,
            sealed_tokens: self.sealed_tokens(id, joining.tokens.as_ref())?,
            now,
        });
        Ok((id, statement))
    }

    /// The statement that notes a sign-in with an identity, and what the provider told this time;
    /// conflicts when it is no longer connected.
    pub(crate) fn using(
        &self,
        id: IdentityId,
        vouched: &Vouched,
        now: Timestamp,
    ) -> Result<Statement, InternalError> {
        let sealed = self.sealed_tokens(id, vouched.tokens.as_ref())?;
        let tokens = (&*vouched.provider, sealed);
        Ok(store::note_use(id, tokens, bounded(&vouched.profile), now))
    }

    fn sealed_tokens(
        &self,
        id: IdentityId,
        tokens: Option<&Token>,
    ) -> Result<Option<Vec<u8>>, InternalError> {
        let seal = |tokens: &Token| {
            let secrets = self.auth.secrets();
            secrets.seal(place(id.uuid().as_bytes()), tokens.reveal().as_bytes())
        };
        tokens.map(seal).transpose()
    }
}

fn bounded(profile: &str) -> &str {
    if profile.len() <= LARGEST_PROFILE { profile } else { "{}" }
}

/// Where tokens live; the seal opens only there.
const fn place(row: &[u8; 16]) -> Place<'_> {
    Place { table: "identities", column: "sealed_tokens", row }
}
