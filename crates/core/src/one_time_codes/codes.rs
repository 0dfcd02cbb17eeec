//! Codes of six digits, alone or with a link in the same mail.
//!
//! Code and link are one row, so that one of them works, once. The row belongs to the network
//! that asked: another one's request makes a row of its own and cancels nothing. Guesses from
//! elsewhere may use up one comparison of it, so strangers cannot wear somebody's code out
//! (attack B01), while a person who has changed networks can still type it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{OneTimeCodes, Purpose, store};
use crate::client::Network;
use crate::database::{Batch, Row, Statement, WriteError};
use crate::error::InternalError;
use crate::ids::{AccountId, CodeId};
use crate::ports::Token;
use crate::secrets::Place;
use crate::time::{Timestamp, minutes};

/// Six digits are 20 bits (ASVS 6.5.4).
const CODES: u32 = 1_000_000;

/// How a code of some purpose is dealt with.
struct Policy {
    lifetime: Duration,
    /// Comparisons in all, and how many of them networks that did not ask may use.
    attempts: i64,
    others_attempts: i64,
    /// How often a live code is sent again instead of a new one.
    resends: i64,
}

impl Purpose {
    const fn policy(self) -> Policy {
        let lifetime = self.lifetime();
        match self {
            // The contract of `/users/*` allows five tries in ten minutes.
            Self::SignUpCode => Policy { lifetime, attempts: 5, others_attempts: 1, resends: 1 },
            _ => Policy { lifetime, attempts: 3, others_attempts: 1, resends: 1 },
        }
    }
}

/// Whom and what a code is for.
pub(crate) struct CodeFor<'a> {
    /// What it is good for.
    pub(crate) purpose: Purpose,
    /// Whose account, where there is one.
    pub(crate) account: Option<AccountId>,
    /// The canonical address or number it proves.
    pub(crate) target_key: &'a str,
    /// Who asks.
    pub(crate) network: Network,
    /// The secret of the browser that asked, if the mail shall have a link for it as well.
    pub(crate) link_for: Option<&'a Token>,
    /// What the proof needs to know again: the address as typed, the door.
    pub(crate) details: &'a str,
}

/// What is sent.
#[derive(Clone)]
pub(crate) struct Sent {
    /// Six digits.
    pub(crate) code: Token,
    /// The link's token.
    pub(crate) link: Option<Token>,
    /// When both stop working.
    pub(crate) expires_at: Timestamp,
}

/// A code about to be sent.
pub(crate) struct NewCode {
    /// What is sent.
    pub(crate) sent: Sent,
    /// Stores it and makes this network's earlier one worthless; add it to the batch of the act.
    pub(crate) batch: Batch,
}

/// A code that still can be redeemed.
pub(crate) struct LiveCode {
    pub(super) id: CodeId,
    /// Who asked for it.
    pub(super) network: String,
    pub(super) sealed_secret: Vec<u8>,
    /// What the sender wrote down.
    pub(crate) details: String,
    pub(super) expires_at: Timestamp,
}

impl LiveCode {
    /// Whether somebody in this network asked for it.
    pub(crate) fn is_asked_in(&self, network: Network) -> bool {
        self.network == network.to_string()
    }
}

/// A code as somebody typed it.
#[derive(Clone, Copy)]
pub(crate) struct Guess<'a> {
    /// What it shall be good for.
    pub(crate) purpose: Purpose,
    /// As it was typed.
    pub(crate) typed: &'a Token,
    /// Who types it.
    pub(crate) network: Network,
}

/// A code that was typed right; only the attempt that typed it may consume it.
pub(crate) struct Matched {
    id: CodeId,
    matched_by: uuid::Uuid,
}

/// A code's row as its link finds it.
pub(crate) struct CodeLink {
    pub(super) id: CodeId,
    /// The canonical address it proves.
    pub(crate) target_key: String,
    /// What the sender wrote down.
    pub(crate) details: String,
    /// Whether it was used, by link or by code.
    pub(crate) is_used: bool,
    pub(super) flow_digest: Option<Vec<u8>>,
}

/// Code and link as sealed.
#[derive(Serialize, Deserialize)]
struct Secret {
    code: String,
    link: Option<String>,
}

impl OneTimeCodes<'_> {
    /// A new code. The earlier ones of the same network are void; other networks' are not.
    pub(crate) fn new_code(
        &self,
        wish: &CodeFor<'_>,
        now: Timestamp,
    ) -> Result<NewCode, InternalError> {
        self.new_code_for_name(wish, "", now)
    }

    /// The same, good for one wished name alone.
    pub(crate) fn new_code_for_name(
        &self,
        wish: &CodeFor<'_>,
        name_key: &str,
        now: Timestamp,
    ) -> Result<NewCode, InternalError> {
        let random = self.auth.random();
        let id = CodeId::new(now, random);
        let code = self.six_digits();
        let link = wish.link_for.map(|_| uuid::Uuid::from_bytes(random.bytes()).to_string());
        let policy = wish.purpose.policy();
        let expires_at = now.plus(policy.lifetime);
        let secret = Secret { code: code.reveal().to_owned(), link: link.clone() };
        let secret = Zeroizing::new(serde_json::to_vec(&secret).map_err(InternalError::fault)?);
        let network = wish.network.to_string();
        let target = (wish.target_key, name_key);
        let mut batch = Batch::from(store::void_codes_of(target, wish.purpose.word(), &network));
        batch.add(store::insert_code(&store::NewCodeRow {
            id,
            purpose: wish.purpose.word(),
            account: wish.account,
            target_key: wish.target_key,
            name_key,
            digest: self.code_digest(wish.purpose, id, &code),
            link_digest: link.as_ref().map(|link| self.digest(wish.purpose, link)),
            flow_digest: wish.link_for.map(|browser| self.browser_digest(browser)),
            network: &network,
            sealed_secret: self.auth.secrets().seal(place(id.uuid().as_bytes()), &secret)?,
            details: wish.details,
            attempts: policy.attempts,
            others_attempts: policy.others_attempts,
            resends: policy.resends,
            created_at: now,
            expires_at,
        }));
        Ok(NewCode { sent: Sent { code, link: link.map(Token::new), expires_at }, batch })
    }

    /// The code a guess from this network is compared with: the one it asked for itself, else
    /// the latest.
    pub(crate) async fn live_code(
        &self,
        purpose: Purpose,
        target_key: &str,
        network: Network,
        now: Timestamp,
    ) -> Result<Option<LiveCode>, InternalError> {
        let network = network.to_string();
        let found = store::find_live_code(target_key, purpose.word(), &network, now);
        let row = self.auth.database().read_one(found).await?;
        row.as_ref().map(store::live_code).transpose()
    }

    /// What was sent, to be sent again; and the must-change statement that allows it, as often
    /// as codes of its kind may be sent again.
    pub(crate) fn send_again(
        &self,
        live: &LiveCode,
        now: Timestamp,
    ) -> Result<(Sent, Statement), InternalError> {
        let id = live.id.uuid();
        let opened = self.auth.secrets().open(place(id.as_bytes()), &live.sealed_secret)?;
        let secret = Zeroizing::new(opened);
        let secret: Secret = serde_json::from_slice(&secret).map_err(InternalError::fault)?;
        let sent = Sent {
            code: Token::new(secret.code),
            link: secret.link.map(Token::new),
            expires_at: live.expires_at,
        };
        Ok((sent, store::send_again(live.id, now)))
    }

    /// Compares a typed code. One statement counts the comparison and makes it, so parallel
    /// guesses cannot slip through; it is written even when there is nothing to compare with,
    /// so that both take as long.
    pub(crate) async fn compare(
        &self,
        live: Option<&LiveCode>,
        guess: Guess<'_>,
        now: Timestamp,
    ) -> Result<Option<Matched>, InternalError> {
        let (matched, compared) = self.comparison(live, guess, now);
        let rows = self.auth.database().write_returning(compared).await;
        let rows = rows.map_err(WriteError::unexpected)?;
        Ok(is_right(&rows)?.then_some(matched))
    }

    /// The same in one batch with `counted`, which counts the attempt as failed: neither is
    /// written without the other, and nothing is compared when the batch conflicts.
    pub(crate) async fn compare_counted(
        &self,
        counted: Statement,
        live: Option<&LiveCode>,
        guess: Guess<'_>,
        now: Timestamp,
    ) -> Result<Option<Matched>, WriteError> {
        let (matched, compared) = self.comparison(live, guess, now);
        let mut batch = Batch::from(counted);
        batch.add_returning(compared);
        let rows = self.auth.database().write(batch).await?;
        Ok(is_right(&rows)?.then_some(matched))
    }

    /// A comparison, and what it makes if the code is right.
    fn comparison(
        &self,
        live: Option<&LiveCode>,
        guess: Guess<'_>,
        now: Timestamp,
    ) -> (Matched, Statement) {
        let Guess { purpose, typed, network } = guess;
        let id = live.map_or_else(|| CodeId::new(now, self.auth.random()), |live| live.id);
        let is_other = live.is_some_and(|live| !live.is_asked_in(network));
        let matched_by = uuid::Uuid::from_bytes(self.auth.random().bytes());
        let digest = self.code_digest(purpose, id, typed);
        let compared = store::compare(id, digest, matched_by, i64::from(is_other), now);
        (Matched { id, matched_by }, compared)
    }

    /// The must-change statement that uses a rightly typed code up, its link with it.
    #[expect(clippy::unused_self, reason = "entered like the others")]
    pub(crate) fn consume_matched(&self, matched: &Matched, now: Timestamp) -> Statement {
        store::consume_matched(matched.id, matched.matched_by, now)
    }

    /// Finds the unexpired row of a code's link.
    pub(crate) async fn find_code_link(
        &self,
        purpose: Purpose,
        token: &str,
        now: Timestamp,
    ) -> Result<Option<CodeLink>, InternalError> {
        let Ok(uuid) = uuid::Uuid::try_parse(token) else { return Ok(None) };
        let digest = self.digest(purpose, &uuid.to_string());
        let row = self.auth.database().read_one(store::find_code_link(digest, now)).await?;
        row.as_ref().map(store::code_link).transpose()
    }

    /// Whether a code was asked for in the browser that holds this secret.
    pub(crate) fn is_codes_browser(&self, link: &CodeLink, browser: &Token) -> bool {
        link.flow_digest.as_deref() == Some(&self.browser_digest(browser)[..])
    }

    /// The must-change statement that uses a link up, its code with it.
    #[expect(clippy::unused_self, reason = "entered like the others")]
    pub(crate) fn consume_code_link(&self, link: &CodeLink, now: Timestamp) -> Statement {
        store::consume_code_link(link.id, now)
    }

    /// The statement that makes all other codes of one purpose and target worthless.
    #[expect(clippy::unused_self, reason = "entered like the others")]
    pub(crate) fn void_codes(&self, purpose: Purpose, target_key: &str) -> Statement {
        store::void_codes(target_key, purpose.word())
    }

    /// Six digits, each as likely as any other (ASVS 11.5.1).
    fn six_digits(&self) -> Token {
        // Numbers beyond the last whole million would make small codes likelier.
        let fair = u32::MAX - u32::MAX % CODES;
        loop {
            let drawn = u32::from_be_bytes(self.auth.random().bytes());
            if drawn < fair {
                return Token::new(format!("{:06}", drawn % CODES));
            }
        }
    }

    fn code_digest(&self, purpose: Purpose, id: CodeId, code: &Token) -> [u8; 32] {
        // Purpose and row are part of it: a code of another flow or person is unknown here.
        let text = format!("{}:{id}:{}", purpose.word(), code.reveal());
        self.auth.secrets().digest("one-time-code", text.as_bytes())
    }
}

/// What a comparison says; nothing when there was none.
fn is_right(rows: &[Row]) -> Result<bool, InternalError> {
    Ok(rows.first().map(|row| row.bool(0)).transpose()?.unwrap_or(false))
}

/// Where a sealed code lives; the seal opens only there.
const fn place(id: &[u8; 16]) -> Place<'_> {
    Place { table: "one_time_codes", column: "sealed_secret", row: id }
}

/// How long codes that prove a sign-in live (the contract of `/api/auth/otp/*`).
pub(super) const SIGN_IN_LIFETIME: Duration = minutes(5);
/// How long codes that prove a sign-up live (the contract of `/users/*`).
pub(super) const SIGN_UP_LIFETIME: Duration = minutes(10);
