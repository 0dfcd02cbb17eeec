//! The user name of an account that an identity makes.

use super::SignIn;
use crate::accounts::{self, Username};
use crate::error::InternalError;
use crate::social::Vouched;

/// Longest name before its number; a user name may have 150 characters.
const LONGEST: usize = 100;
/// Names are numbered one by one up to here, then at random: finding a free one must not take
/// as many reads as there are people of that name.
const COUNTED: u64 = 9;
const NUMBERS: u64 = 100_000_000;
const TRIES: u64 = 12;

impl SignIn<'_> {
    /// A free user name made of what the provider tells: the name, the address's local part, or
    /// who it is there; in lower case, without blanks, with a number where it is taken (the
    /// contract's rule). `None` where none was free, which is no reason to turn anybody away.
    pub(super) async fn new_name(
        &self,
        vouched: &Vouched,
    ) -> Result<Option<Username>, InternalError> {
        let beginning = beginning(vouched);
        for n in 1..=TRIES {
            let number = if n <= COUNTED {
                n
            } else {
                COUNTED + 1 + u64::from_be_bytes(self.auth.random().bytes()) % NUMBERS
            };
            let text = if n == 1 { beginning.clone() } else { format!("{beginning}{number}") };
            let Ok(name) = Username::parse(&text) else { return Ok(None) };
            let row = self.auth.database().read_one(accounts::taken(Some(name.key()), "")).await?;
            if !row.map(|row| row.bool(0)).transpose()?.unwrap_or_default() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}

fn beginning(vouched: &Vouched) -> String {
    let local_part = vouched.email.as_ref().and_then(|email| email.key().split('@').next());
    let subject = format!("{}_{}", vouched.provider, vouched.subject);
    let said = [vouched.name.as_deref(), local_part, Some(&subject)];
    let names = said.into_iter().flatten().map(legal);
    names.into_iter().find(|name| name.chars().any(char::is_alphanumeric)).unwrap_or_default()
}

/// What of a text may stand in a user name. No `@` and no `+`: what a stranger is called must not
/// look like somebody's address or number.
fn legal(text: &str) -> String {
    let lower = text.to_lowercase();
    let allowed = |c: &char| c.is_alphanumeric() || ".-_".contains(*c);
    lower.chars().filter(allowed).take(LONGEST).collect()
}
