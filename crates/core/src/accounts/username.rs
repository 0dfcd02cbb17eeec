//! User names: as typed, and in the one form that makes them equal.

use unicode_normalization::UnicodeNormalization;

/// A name that passed the checks of its form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Username {
    typed: String,
    key: String,
}

/// Why a text is not a user name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UsernameProblem {
    /// Holds something other than letters, digits and `@.+-_`.
    Malformed,
    /// More than 150 characters.
    TooLong,
}

impl Username {
    /// Reads a name: letters and digits of any script, and `@ . + - _`.
    pub fn parse(text: &str) -> Result<Self, UsernameProblem> {
        // NFKC, so that names which look the same are the same (as Django normalises them).
        let typed: String = text.trim().nfkc().collect();
        if typed.chars().count() > 150 {
            return Err(UsernameProblem::TooLong);
        }
        let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
        if typed.is_empty() || !typed.chars().all(allowed) {
            return Err(UsernameProblem::Malformed);
        }
        let key = typed.to_lowercase();
        Ok(Self { typed, key })
    }

    /// The name as typed.
    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    /// The canonical form: what is unique.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }
}
