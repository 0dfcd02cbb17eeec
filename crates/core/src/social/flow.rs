//! What a browser keeps on its way to a provider and back: sealed, so that nothing is stored
//! here until it returns, and starting ways costs nobody a row (attack H10).

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::Errand;
use crate::error::InternalError;
use crate::ids::{AccountId, SessionId};
use crate::ports::{Random, Token};
use crate::secrets::{Place, Secrets};
use crate::time::{Timestamp, minutes};

/// How long a person may take at the provider.
pub(super) const LIFETIME: Duration = minutes(10);
/// A cookie has room for 4,096 bytes; a longer way on is forgotten.
const LONGEST_NEXT: usize = 1_024;
/// Likewise of where somebody came from.
const LONGEST_SOURCE: usize = 512;

/// One way to a provider and back.
#[derive(Serialize, Deserialize)]
pub(super) struct Flow {
    state: String,
    /// Sent where an ID token will bring it back (OpenID Connect Core §3.1.2.1).
    pub(super) nonce: Option<String>,
    /// RFC 7636 §4.1; `None` where the provider knows no PKCE.
    pub(super) verifier: Option<String>,
    started_at: i64,
    next: Option<String>,
    source_url: Option<String>,
    /// Account and session that want the identity connected.
    link: Option<(String, String)>,
}

impl Flow {
    /// A new way, with secrets of its own.
    pub(super) fn begin(errand: Errand, random: &dyn Random, now: Timestamp) -> Self {
        let secret = || random.token().reveal().to_owned();
        let (link, next, source_url) = match errand {
            Errand::SignIn { next, source_url } => (None, next, source_url),
            Errand::Link { account, session, next } => {
                (Some((account.to_string(), session.to_string())), next, None)
            }
        };
        Self {
            state: secret(),
            nonce: Some(secret()),
            verifier: Some(secret()),
            started_at: now.micros(),
            next: next.filter(|next| next.len() <= LONGEST_NEXT),
            source_url: source_url.filter(|url| url.len() <= LONGEST_SOURCE),
            link,
        }
    }

    /// `state`, as it goes with the browser.
    pub(super) fn state(&self) -> &str {
        &self.state
    }

    /// Whether this is the `state` that went away with this browser (RFC 6749 §10.12).
    pub(super) fn has_state(&self, returned: &str) -> bool {
        self.state.as_bytes().ct_eq(returned.as_bytes()).into()
    }

    /// For the browser, and for nobody else to read: it opens for one provider only.
    pub(super) fn seal(&self, provider: &str, secrets: &Secrets) -> Result<Token, InternalError> {
        let json = serde_json::to_vec(self).map_err(InternalError::fault)?;
        let sealed = secrets.seal(place(provider), &json)?;
        Ok(Token::new(BASE64URL_NOPAD.encode(&sealed)))
    }

    /// What a browser brought, unless it is another provider's, too old or none of ours.
    pub(super) fn open(
        sealed: &Token,
        provider: &str,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Option<Self> {
        let sealed = BASE64URL_NOPAD.decode(sealed.reveal().as_bytes()).ok()?;
        let json = secrets.open(place(provider), &sealed).ok()?;
        let flow: Self = serde_json::from_slice(&json).ok()?;
        let age = now.since(Timestamp::from_micros(flow.started_at));
        (age < LIFETIME).then_some(flow)
    }

    /// What the way was for.
    pub(super) fn errand(self) -> Option<Errand> {
        let Self { next, source_url, .. } = self;
        let Some((account, session)) = self.link else {
            return Some(Errand::SignIn { next, source_url });
        };
        let account = AccountId::parse(&account)?;
        Some(Errand::Link { account, session: SessionId::parse(&session)?, next })
    }
}

/// Not in a table: with a browser, for this provider.
const fn place(provider: &str) -> Place<'_> {
    Place { table: "browser", column: "social_flow", row: provider.as_bytes() }
}

/// The challenge of a verifier, by `S256` (RFC 7636 §4.2).
pub(super) fn challenge_of(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref())
}

/// Whether a text is a verifier (RFC 7636 §4.1): 43 to 128 unreserved characters (attack F06).
pub(super) fn is_verifier(text: &str) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(unreserved)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::ports::SystemRandom;
    use crate::time::seconds;

    const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);

    fn secrets() -> Secrets {
        Secrets::new(&[7; 32], Arc::new(SystemRandom)).unwrap()
    }

    fn way(next: &str) -> Flow {
        let errand = Errand::SignIn { next: Some(next.to_owned()), source_url: None };
        Flow::begin(errand, &SystemRandom, NOW)
    }

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        assert_eq!(challenge_of(verifier), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn verifiers_are_of_the_rfcs_alphabet_and_length() {
        let long = "a".repeat(128);
        for fine in ["dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOE.~k", &long] {
            assert!(is_verifier(fine), "{fine}");
        }
        let (short, longer, plus) = ("a".repeat(42), "a".repeat(129), format!("{:+>43}", "a"));
        for wrong in ["", &short, &longer, &plus, &format!("{}ö", "a".repeat(42))] {
            assert!(!is_verifier(wrong), "{wrong}");
        }
        let ours = way("/").verifier.unwrap();
        assert!(is_verifier(&ours), "{ours}");
    }

    #[test]
    fn a_way_comes_back_as_it_went() {
        let secrets = secrets();
        let there = way("/app?x=1");
        let (state, nonce) = (there.state.clone(), there.nonce.clone());
        let sealed = there.seal("google", &secrets).unwrap();
        let back = Flow::open(&sealed, "google", &secrets, NOW.plus(minutes(9))).unwrap();
        assert!(back.has_state(&state) && !back.has_state("") && !back.has_state(&state[1..]));
        assert_eq!(back.nonce, nonce);
        let errand = back.errand().unwrap();
        assert!(matches!(errand, Errand::SignIn { next: Some(next), .. } if next == "/app?x=1"));
    }

    #[test]
    fn a_way_is_good_for_its_provider_its_time_and_our_key_only() {
        let secrets = secrets();
        let sealed = way("/").seal("google", &secrets).unwrap();
        let opens = |provider, at| Flow::open(&sealed, provider, &secrets, at).is_some();
        assert!(opens("google", NOW));
        assert!(!opens("oidc", NOW), "another provider's");
        assert!(opens("google", NOW.plus(LIFETIME).minus(seconds(1))));
        assert!(!opens("google", NOW.plus(LIFETIME)), "too old");
        let theirs = Secrets::new(&[8; 32], Arc::new(SystemRandom)).unwrap();
        assert!(Flow::open(&sealed, "google", &theirs, NOW).is_none(), "another key");
        for forged in ["", "x", "AAAA", &sealed.reveal()[1..]] {
            let forged = Token::new(forged.to_owned());
            assert!(Flow::open(&forged, "google", &secrets, NOW).is_none());
        }
    }

    #[test]
    fn a_link_keeps_whose_it_is_and_a_cookie_has_room_for_it() {
        let random: &dyn Random = &SystemRandom;
        let (account, session) = (AccountId::new(NOW, random), SessionId::new(NOW, random));
        let next = Some("/".repeat(LONGEST_NEXT));
        let errand = Errand::Link { account, session, next };
        let sealed = Flow::begin(errand, random, NOW).seal("x", &secrets()).unwrap();
        assert!(sealed.reveal().len() < 3_500, "{}", sealed.reveal().len());
        let back = Flow::open(&sealed, "x", &secrets(), NOW).unwrap().errand().unwrap();
        let Errand::Link { account: who, session: which, next } = back else { panic!() };
        assert_eq!((who, which), (account, session));
        assert_eq!(next.unwrap().len(), LONGEST_NEXT);
        let too_long = way(&"/".repeat(LONGEST_NEXT + 1));
        assert!(too_long.next.is_none(), "and what is longer is forgotten");
    }
}
