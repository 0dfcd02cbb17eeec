//! Step-up: the one rule for acts that need more than a live session.
//!
//! Whoever changes factors, address or password, or closes the account, must have proven a short
//! while ago that it is them, with a proof as strong as what the account has enrolled (ASVS
//! 7.5.1, 7.5.3; attack D09): a stolen session is not enough to take the account for good.

use std::time::Duration;

use super::SignIn;
use super::store::Candidate;
use crate::sessions::Present;
use crate::time::{Timestamp, minutes, seconds};

/// How long ago the proof may be, where no client's contract asks for another span.
pub const RECENT: Duration = minutes(5);

/// The session's proof is too old or too weak: sign in again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stale;

impl SignIn<'_> {
    /// Refuses a session that was proven longer ago than `within`, or without the second factor
    /// where one is enrolled. How old a proof is says the first step of its sign-in.
    pub(super) fn refuse_stale(
        &self,
        present: &Present,
        found: &Candidate,
        within: Duration,
    ) -> Result<(), Stale> {
        let claims = &present.claims;
        let is_strong = claims.amr.iter().any(|method| method == "mfa");
        if found.has_second_factor && !is_strong {
            return Err(Stale);
        }
        // Tokens count whole seconds (RFC 7519 §2), rounded down: half open, so that the span is
        // never longer than it says. A clock set back makes nobody's proof old.
        let proven_at =
            Timestamp::from_micros(0).plus(seconds(claims.auth_time.max(0).cast_unsigned()));
        let age = self.auth.clock().now().since(proven_at);
        if age < within { Ok(()) } else { Err(Stale) }
    }
}
