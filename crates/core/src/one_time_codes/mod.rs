//! One-time codes: the short secrets we send by e-mail or SMS, and the links in mails.
//!
//! A code or link belongs to one purpose, one target and one flow. It works once, for a short
//! time. Only its keyed digest is stored, and the purpose is part of what is digested, so a
//! link for one purpose is unknown to every other.
//!
//! Owns the table `one_time_codes`. Used by `sign_in` and `accounts`.

mod codes;
mod for_names;
mod store;

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;

pub(crate) use codes::{CodeFor, CodeLink, Guess, Matched, Sent};
pub(crate) use for_names::CodeForName;

use crate::Auth;
use crate::database::{Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, CodeId};
use crate::ports::Token;
use crate::settings::{EMAIL_CHANGE_LIFETIME, RESET_LIFETIME, VERIFICATION_LIFETIME};
use crate::time::{Timestamp, hours};

/// How long a row is kept after its end.
const KEPT_WHEN_EXPIRED: Duration = hours(1);

/// What a code or link is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Proving the address an account signed up with.
    VerifyEmail,
    /// Choosing a new password.
    ResetPassword,
    /// Proving an account's new address.
    ChangeEmail,
    /// Signing in with a code, or with the link in its mail.
    SignIn,
    /// Signing up with a code, before there is an account.
    SignUpCode,
    /// Proving a new phone number.
    ChangePhone,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ResetPassword => "reset_password",
            Self::ChangeEmail => "change_email",
            Self::SignIn => "sign_in",
            Self::SignUpCode => "sign_up_code",
            Self::ChangePhone => "change_phone",
        }
    }

    /// How long a code or link of this purpose works.
    pub(crate) const fn lifetime(self) -> Duration {
        match self {
            Self::VerifyEmail => VERIFICATION_LIFETIME,
            Self::ResetPassword => RESET_LIFETIME,
            Self::ChangeEmail => EMAIL_CHANGE_LIFETIME,
            Self::SignIn | Self::ChangePhone => codes::SIGN_IN_LIFETIME,
            Self::SignUpCode => codes::SIGN_UP_LIFETIME,
        }
    }
}

/// A link about to be mailed.
pub(crate) struct NewLink {
    /// The secret in the link; stored nowhere.
    pub(crate) token: Token,
    /// When it stops working.
    pub(crate) expires_at: Timestamp,
    /// Stores its digest; add it to the batch of the act.
    pub(crate) statement: Statement,
}

/// Whom and what a link is for.
pub(crate) struct LinkFor<'a> {
    /// What it is good for.
    pub(crate) purpose: Purpose,
    /// Whose account.
    pub(crate) account: AccountId,
    /// The canonical address it proves; a link proves this one even if the account has another
    /// by then (attack C09).
    pub(crate) target_key: &'a str,
    /// The secret of the browser that asked, if that browser may do more.
    pub(crate) browser: Option<&'a Token>,
    /// What its use needs to know again, JSON.
    pub(crate) details: Option<&'a str>,
}

/// A link somebody presented, as stored.
pub(crate) struct Link {
    /// Its row.
    pub(crate) id: CodeId,
    /// Whose account.
    pub(crate) account: AccountId,
    /// The canonical address it proves.
    pub(crate) target_key: String,
    /// When it was used.
    pub(crate) consumed_at: Option<Timestamp>,
    /// What was noted with it.
    pub(crate) details: Option<String>,
    flow_digest: Option<Vec<u8>>,
}

/// One-time codes and links of an `Auth`.
pub struct OneTimeCodes<'a> {
    pub(crate) auth: &'a Auth,
}

impl OneTimeCodes<'_> {
    /// A new link of 128 random bits, written as a UUID because existing clients expect one.
    pub(crate) fn new_link(&self, link: &LinkFor<'_>, now: Timestamp) -> NewLink {
        self.new_link_until(link, now, now.plus(link.purpose.lifetime()))
    }

    /// The same with an end of its own, where a contract promises another one.
    pub(crate) fn new_link_until(
        &self,
        link: &LinkFor<'_>,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> NewLink {
        let random = self.auth.random();
        let token = uuid::Uuid::from_bytes(random.bytes()).to_string();
        let statement = store::insert(&store::NewCode {
            id: CodeId::new(now, random),
            purpose: link.purpose.word(),
            account: link.account,
            target_key: link.target_key,
            digest: self.digest(link.purpose, &token),
            flow_digest: link.browser.map(|browser| self.browser_digest(browser)),
            details: link.details,
            created_at: now,
            expires_at,
        });
        NewLink { token: Token::new(token), expires_at, statement }
    }

    /// Finds an unexpired link, used ones included; anything that is no UUID is nobody's.
    pub(crate) async fn find_link(
        &self,
        purpose: Purpose,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<Link>, InternalError> {
        let Ok(uuid) = uuid::Uuid::try_parse(token) else { return Ok(None) };
        let digest = self.digest(purpose, &uuid.to_string());
        let row = self.auth.database().read_one(store::find(digest, now)).await?;
        row.map(|row| store::link(&row)).transpose()
    }

    /// Whether the link was asked for in the browser that holds this secret.
    pub(crate) fn is_same_browser(&self, link: &Link, browser: &Token) -> bool {
        link.flow_digest.as_deref() == Some(&self.browser_digest(browser)[..])
    }

    /// The must-change statement that uses a link up; of many at once, one succeeds.
    #[expect(clippy::unused_self, reason = "an act like the others")]
    pub(crate) fn consume(&self, link: &Link, now: Timestamp) -> Statement {
        store::consume(link.id, now)
    }

    /// The statement that makes an account's unused links of one purpose worthless.
    #[expect(clippy::unused_self, reason = "an act like the others")]
    pub(crate) fn void(&self, account: AccountId, purpose: Purpose) -> Statement {
        store::void(account, purpose.word())
    }

    /// The statement that makes an account's unused codes and links of every purpose worthless.
    #[expect(clippy::unused_self, reason = "an act like the others")]
    pub(crate) fn void_all_of(&self, account: AccountId) -> Statement {
        store::void_all_of(account)
    }

    /// The statement that makes every unused code and link of everybody worthless (`restore`).
    #[expect(clippy::unused_self, reason = "an act like the others")]
    pub(crate) fn void_everything(&self) -> Statement {
        store::void_everything()
    }

    /// Removes codes an hour past their expiry; at most `limit` rows. Answers how many went.
    pub(crate) async fn sweep(&self, limit: i64) -> Result<usize, InternalError> {
        // A while later than they end: one contract tells an expired code from none.
        let before = self.auth.clock().now().minus(KEPT_WHEN_EXPIRED);
        let swept = self.auth.database().write_returning(store::sweep(before, limit)).await;
        Ok(swept.map_err(WriteError::unexpected)?.len())
    }

    /// What a page's form names its link by: it tells one link from another and opens nothing.
    #[must_use]
    pub fn form_name(&self, token: &str) -> String {
        BASE64URL_NOPAD.encode(&self.auth.secrets().digest("link:form", token.as_bytes()))
    }

    fn digest(&self, purpose: Purpose, token: &str) -> [u8; 32] {
        let purpose = match purpose {
            Purpose::VerifyEmail => "link:verify-email",
            Purpose::ResetPassword => "link:reset-password",
            Purpose::ChangeEmail => "link:change-email",
            Purpose::SignIn => "link:sign-in",
            Purpose::SignUpCode => "link:sign-up-code",
            Purpose::ChangePhone => "link:change-phone",
        };
        self.auth.secrets().digest(purpose, token.as_bytes())
    }

    fn browser_digest(&self, browser: &Token) -> [u8; 32] {
        self.auth.secrets().digest("sign-up-browser", browser.reveal().as_bytes())
    }
}
