//! Authenticator apps (RFC 6238): six digits of HMAC-SHA-1, new ones every 30 seconds.
//!
//! One app an account. An enrolment is pending until a first code shows that the app has the
//! secret, for an hour, and only in the session that began it. A code is accepted in its own
//! step and in the one before and after it, and no step twice, nor one before the last accepted,
//! on whichever node: the step is kept in the row that must change.

mod store;
mod uri;

use std::time::Duration;

use data_encoding::BASE32_NOPAD;
use subtle::ConstantTimeEq;
use totp_rs::{Algorithm, Builder, Secret};
use zeroize::Zeroizing;

use crate::Auth;
use crate::database::Statement;
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::Token;
use crate::secrets::Place;
use crate::time::{Timestamp, hours};

/// Seconds of a step, and digits of a code: what every app understands (RFC 6238 §5.2).
const STEP: i64 = 30;
const DIGITS: u8 = 6;
/// 160 bits, the length of HMAC-SHA-1's output (RFC 4226 §4).
const SECRET: usize = 20;
/// Steps before and after the present one whose codes are accepted (RFC 6238 §5.2).
const SKEW: i64 = 1;
/// How long an enrolment waits for its first code.
const PENDING: Duration = hours(1);

/// A secret for an app, shown once.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// The secret in base32 (RFC 4648 §6), 32 characters, to be typed.
    pub secret: Token,
    /// The same as the `otpauth` URI that apps read from a QR code.
    pub uri: Token,
    /// How long it can be confirmed.
    pub lifetime: Duration,
}

/// What a first code said about a pending enrolment.
pub(crate) enum FirstCode {
    /// Nothing waits in this session, or no longer.
    NothingPending,
    /// The code is wrong.
    Wrong,
    /// Right: the must-change statement that confirms. The code's step counts as used.
    Right(Statement),
}

/// Authenticator apps of an `Auth`.
pub struct Totp<'a> {
    pub(crate) auth: &'a Auth,
}

impl Totp<'_> {
    /// Whether an app is enrolled and confirmed.
    pub async fn is_enrolled(&self, account: AccountId) -> Result<bool, InternalError> {
        let row = self.auth.database().read_one(store::find(account)).await?;
        let found = row.as_ref().map(store::stored).transpose()?;
        Ok(found.is_some_and(|found| found.confirmed_at.is_some()))
    }

    /// A new secret, and the must-change statement that stores it as pending in place of an
    /// earlier pending one; it changes nothing where one is confirmed. `label` is what the app
    /// shows beside the issuer.
    pub(crate) fn begin(
        &self,
        account: AccountId,
        session: SessionId,
        label: &str,
        now: Timestamp,
    ) -> Result<(Enrolment, Statement), InternalError> {
        let secret = Zeroizing::new(self.auth.random().bytes::<SECRET>());
        let row = account.uuid();
        let sealed = self.auth.secrets().seal(place(row.as_bytes()), &*secret)?;
        let text = Token::new(BASE32_NOPAD.encode(&*secret));
        let uri = uri::otpauth(self.auth.settings().totp_issuer(), label, &text);
        let enrolment = Enrolment { secret: text, uri, lifetime: PENDING };
        Ok((enrolment, store::begin(account, session, sealed, now)))
    }

    /// Compares the first code of a pending enrolment.
    pub(crate) async fn confirm(
        &self,
        account: AccountId,
        session: SessionId,
        code: &Token,
        now: Timestamp,
    ) -> Result<FirstCode, InternalError> {
        let row = self.auth.database().read_one(store::find(account)).await?;
        let found = row.as_ref().map(store::stored).transpose()?;
        let pending = found.filter(|found| {
            found.confirmed_at.is_none()
                && found.session == session
                && now.since(found.created_at) < PENDING
        });
        let Some(pending) = pending else { return Ok(FirstCode::NothingPending) };
        let step = matching_step(&self.secret(account, &pending.sealed_secret)?, code, 0, now);
        Ok(step.map_or(FirstCode::Wrong, |step| {
            FirstCode::Right(store::confirm(account, pending.sealed_secret, step, now))
        }))
    }

    /// The must-change statement that uses a code up: no step is accepted twice, nor one before
    /// it, on whichever node. `None` when the code is wrong or nothing is enrolled.
    pub(crate) async fn use_code(
        &self,
        account: AccountId,
        code: &Token,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let row = self.auth.database().read_one(store::find(account)).await?;
        let found = row.as_ref().map(store::stored).transpose()?;
        let Some(found) = found.filter(|found| found.confirmed_at.is_some()) else {
            return Ok(None);
        };
        let secret = self.secret(account, &found.sealed_secret)?;
        let step = matching_step(&secret, code, found.last_step, now);
        Ok(step.map(|step| store::use_step(account, step)))
    }

    /// The statement that takes an account's app away, a pending one too.
    #[must_use]
    pub fn remove(&self, account: AccountId) -> Statement {
        store::delete(account)
    }

    fn secret(&self, account: AccountId, sealed: &[u8]) -> Result<Key, InternalError> {
        let row = account.uuid();
        let clear = Zeroizing::new(self.auth.secrets().open(place(row.as_bytes()), sealed)?);
        let clear = <[u8; SECRET]>::try_from(clear.as_slice());
        clear
            .map(Zeroizing::new)
            .map_err(|_| InternalError::fault("a stored authenticator secret is not 160 bits"))
    }
}

type Key = Zeroizing<[u8; SECRET]>;

/// The step among those accepted now, and later than `after`, whose code this is. Every step is
/// compared, in constant time.
fn matching_step(secret: &Key, code: &Token, after: i64, now: Timestamp) -> Option<i64> {
    let typed: String = code.reveal().chars().filter(|c| !c.is_whitespace()).collect();
    let present = now.seconds().div_euclid(STEP);
    let steps = (present - SKEW..=present + SKEW).filter(|step| *step > after);
    steps.fold(None, |found, step| {
        let expected = code_of(secret, step).unwrap_or_default();
        let is_it = bool::from(expected.as_bytes().ct_eq(typed.as_bytes()));
        if is_it && !expected.is_empty() { Some(step) } else { found }
    })
}

/// The code of a step, leading zeros kept.
fn code_of(secret: &Key, step: i64) -> Option<String> {
    let time = u64::try_from(step.checked_mul(STEP)?).ok()?;
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP.unsigned_abs())
        .with_secret(Secret::new_stack(**secret))
        .build();
    totp.ok().map(|totp| totp.generate(time).to_string())
}

/// Where a secret lives; the seal opens only there.
const fn place(row: &[u8]) -> Place<'_> {
    Place { table: "totp_credentials", column: "sealed_secret", row }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238 appendix B, whose codes have eight digits: ours are their last six.
    const VECTORS: [(i64, &str); 6] = [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ];

    fn key() -> Key {
        Zeroizing::new(*b"12345678901234567890")
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_micros(second * 1_000_000)
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (second, code) in VECTORS {
            assert_eq!(code_of(&key(), second / STEP).as_deref(), code.get(2..), "{second}");
        }
    }

    /// RFC 4226 appendix D: the first ten counters.
    #[test]
    fn codes_are_those_of_rfc_4226() {
        let codes = [
            "755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583",
            "399871", "520489",
        ];
        for (counter, code) in (0..).zip(codes) {
            assert_eq!(code_of(&key(), counter).as_deref(), Some(code));
        }
    }

    #[test]
    fn a_step_is_accepted_one_before_and_after_it_and_no_further() {
        let step = 1_234_567_890 / STEP;
        let code = Token::new("005924".to_owned());
        for (away, is_accepted) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            for second in [0, 29] {
                let now = at((step + away) * STEP + second);
                let expected = is_accepted.then_some(step);
                assert_eq!(matching_step(&key(), &code, 0, now), expected, "{away} {second}");
            }
        }
        let now = at(step * STEP);
        assert_eq!(matching_step(&key(), &code, step - 1, now), Some(step));
        assert_eq!(matching_step(&key(), &code, step, now), None, "B23: not again");
        assert_eq!(matching_step(&key(), &code, step + 1, now), None, "nor before the last");
    }

    #[test]
    fn only_six_digits_are_a_code_and_blanks_do_not_matter() {
        let now = at(1_234_567_890);
        let step = Some(1_234_567_890 / STEP);
        for (typed, expected) in [
            ("005924", step),
            (" 005 924\n", step),
            ("5924", None),
            ("+05924", None),
            ("89005924", None),
            ("00592４", None),
            ("", None),
        ] {
            assert_eq!(matching_step(&key(), &Token::new(typed.to_owned()), 0, now), expected);
        }
        for long_ago in [0, -1_000_000] {
            assert_eq!(
                matching_step(&key(), &Token::new(String::new()), -99_999, at(long_ago)),
                None
            );
        }
    }
}
