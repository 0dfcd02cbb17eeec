//! Randomness from the operating system.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;
use zeroize::Zeroizing;

/// A source of bytes nobody can guess.
pub trait Random: Send + Sync {
    /// Fills the buffer; never fails (a system without randomness cannot run a sign-in server).
    fn fill(&self, buffer: &mut [u8]);
}

/// The operating system's generator (ASVS 11.5.1).
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks")]
    #[expect(clippy::expect_used, reason = "without randomness nothing may go on")]
    fn fill(&self, buffer: &mut [u8]) {
        getrandom::fill(buffer).expect("the operating system gives randomness");
    }
}

impl dyn Random + '_ {
    /// Bytes of a fixed number.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }

    /// A secret of 256 bits in base64url, 43 characters.
    pub fn token(&self) -> Token {
        Token(Zeroizing::new(BASE64URL_NOPAD.encode(&self.bytes::<32>())))
    }
}

/// A bearer secret in the clear: shown once to its owner, never stored, never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes a secret that came from outside or was made elsewhere.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The secret itself. Callers put it into an answer, a mail or a digest, nothing else.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Token(…)")
    }
}
