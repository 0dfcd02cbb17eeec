//! Recovery codes: ten, shown once, each for one sign-in without the authenticator app.
//!
//! A code has 80 random bits (NIST SP 800-63B-4 asks for 64), written in Crockford's base 32,
//! which has no letters that look like digits. Only keyed digests bound to the account are kept.

mod store;

use crate::Auth;
use crate::database::{Batch, Statement};
use crate::error::InternalError;
use crate::ids::{AccountId, RecoveryCodeId};
use crate::ports::Token;
use crate::time::Timestamp;

/// How many there are.
pub const COUNT: usize = 10;
/// Characters of a code, five bits each, and how many stand together.
const LENGTH: usize = 16;
const GROUP: usize = 4;
/// Crockford's: no I, L, O and U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Recovery codes of an `Auth`.
pub struct RecoveryCodes<'a> {
    pub(crate) auth: &'a Auth,
}

impl RecoveryCodes<'_> {
    /// The must-change statement that uses a code up; `None` when it is none of the account's,
    /// or was used.
    pub(crate) async fn use_code(
        &self,
        account: AccountId,
        code: &Token,
        now: Timestamp,
    ) -> Result<Option<Statement>, InternalError> {
        let Some(code) = normalised(code) else { return Ok(None) };
        let digest = self.digest(account, &code);
        let found = self.auth.database().read_one(store::find(account, digest)).await?;
        Ok(found.map(|_| store::consume(account, digest, now)))
    }

    /// How many are left.
    pub async fn left(&self, account: AccountId) -> Result<u32, InternalError> {
        let row = self.auth.database().read_one(store::count(account)).await?;
        let left = row.map_or(Ok(0), |row| row.int(0))?;
        Ok(u32::try_from(left).unwrap_or_default())
    }

    /// Ten new codes, and the statements that put them in the place of all earlier ones.
    pub(crate) fn replace(&self, account: AccountId, now: Timestamp) -> (Vec<Token>, Batch) {
        let mut batch = Batch::from(store::delete(account));
        let mut codes = Vec::with_capacity(COUNT);
        for _ in 0..COUNT {
            let code = self.new_code();
            let id = RecoveryCodeId::new(now, self.auth.random());
            batch.add(store::insert(id, account, self.digest(account, &code), now));
            codes.push(grouped(&code));
        }
        (codes, batch)
    }

    /// The statement that takes an account's codes away.
    #[must_use]
    pub fn remove(&self, account: AccountId) -> Statement {
        store::delete(account)
    }

    fn new_code(&self) -> Token {
        let bytes = self.auth.random().bytes::<LENGTH>();
        Token::new(bytes.into_iter().map(letter).collect())
    }

    fn digest(&self, account: AccountId, code: &Token) -> [u8; 32] {
        let value = [account.uuid().as_bytes().as_slice(), code.reveal().as_bytes()].concat();
        self.auth.secrets().digest("recovery-code", &value)
    }
}

/// The character of a byte's five low bits: as even as the bytes are.
fn letter(byte: u8) -> char {
    ALPHABET.get(usize::from(byte & 31)).copied().map_or('0', char::from)
}

/// A code as people see it.
fn grouped(code: &Token) -> Token {
    let mut text = String::with_capacity(LENGTH + LENGTH / GROUP);
    for (at, letter) in code.reveal().chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    Token::new(text)
}

/// A code as people type it, in the form that is digested: blanks and dashes do not matter, nor
/// case, nor a letter for the digit that looks like it. `None` when it cannot be one.
fn normalised(typed: &Token) -> Option<Token> {
    let mut code = String::with_capacity(LENGTH);
    for letter in typed.reveal().chars().filter(|c| !c.is_whitespace() && *c != '-') {
        let letter = match letter.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let is_known = u8::try_from(letter).is_ok_and(|letter| ALPHABET.contains(&letter));
        if !is_known || code.len() == LENGTH {
            return None;
        }
        code.push(letter);
    }
    (code.len() == LENGTH).then(|| Token::new(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(typed: &str) -> Option<String> {
        normalised(&Token::new(typed.to_owned())).map(|code| code.reveal().to_owned())
    }

    #[test]
    fn codes_are_read_however_people_type_them() {
        let code = "0123456789ABCDEF";
        for typed in [
            "0123-4567-89AB-CDEF",
            "0123456789abcdef",
            " oi23 4567\t89ab-cdef ",
            "ol23456789ABCDEF",
        ] {
            assert_eq!(read(typed).as_deref(), Some(code), "{typed}");
        }
        let long = "0".repeat(10_000);
        for typed in ["", "0123", "0123-4567-89AB-CDEFG", "U123-4567-89AB-CDEF", "💥", &long] {
            assert_eq!(read(typed), None, "{typed}");
        }
    }

    #[test]
    fn every_character_is_as_likely_as_the_others() {
        let mut seen = std::collections::BTreeMap::new();
        for byte in 0..=u8::MAX {
            *seen.entry(letter(byte)).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 32);
        assert!(seen.values().all(|count| *count == 8));
        let code: String = (0..16).map(letter).collect();
        let shown = grouped(&Token::new(code.clone()));
        assert_eq!(shown.reveal(), "0123-4567-89AB-CDEF");
        assert_eq!(read(shown.reveal()), Some(code));
    }
}
