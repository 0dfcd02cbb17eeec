//! The server-driven way: a browser goes to the provider and comes back with a code
//! (RFC 6749 §4.1, OpenID Connect Core §3.1).

use super::flow::{self, Flow};
use super::providers::{Desk, Nonce};
use super::spent::Proof;
use super::{Departure, Errand, Returned, Social, SocialError, Vouched};
use crate::ports::Token;
use crate::time::minutes;

impl Social<'_> {
    /// Sends a browser to a provider. Nothing is written: what must be known when it comes back
    /// travels with it.
    pub async fn depart(&self, provider: &str, errand: Errand) -> Result<Departure, SocialError> {
        let desk = self.desk(provider)?;
        let mut flow = Flow::begin(errand, self.auth.random(), self.auth.clock().now());
        if !desk.dialect.has_pkce {
            flow.verifier = None;
        }
        if !desk.dialect.has_nonce {
            flow.nonce = None;
        }
        let authorization_url = desk.authorization_url(&flow).await?;
        let sealed = flow.seal(provider, self.auth.secrets())?;
        Ok(Departure { authorization_url, flow: sealed, flow_lifetime: flow::LIFETIME })
    }

    /// What a browser left for, while its cookie is good; nothing is used up. For pages that tell
    /// of a failure and offer to try again.
    #[must_use]
    pub fn errand(&self, provider: &str, flow: &Token) -> Option<Errand> {
        let now = self.auth.clock().now();
        Flow::open(flow, provider, self.auth.secrets(), now)?.errand()
    }

    /// Takes what came back with a browser: whoever the provider vouches for, and what the way
    /// was for. The browser must be the one that left, with the `state` it left with; from then
    /// on the way is used up, whatever comes of it.
    pub(crate) async fn come_back(
        &self,
        provider: &str,
        flow: Option<&Token>,
        returned: Returned,
    ) -> Result<(Errand, Vouched), SocialError> {
        let desk = self.desk(provider)?;
        let (secrets, now) = (self.auth.secrets(), self.auth.clock().now());
        let flow = flow.and_then(|flow| Flow::open(flow, provider, secrets, now));
        let flow = flow.ok_or(SocialError::ForeignReturn)?;
        let state = returned.state.as_ref().filter(|state| flow.has_state(state.reveal()));
        let state = state.ok_or(SocialError::ForeignReturn)?;
        desk.check_issuer(returned.issuer.as_deref()).await?;
        // Written before the code is sent anywhere, so a page loaded twice sends it once.
        let lifetime = flow::LIFETIME + minutes(5);
        if !self.spend(Proof::State(state.reveal()), lifetime).await? {
            return Err(SocialError::ForeignReturn);
        }
        if let Some(error) = &returned.error {
            return Err(desk.declined(error));
        }
        let code = returned.code.filter(|code| !code.reveal().is_empty());
        let code = code.ok_or(SocialError::NothingBrought)?;
        let verifier = flow.verifier.clone().map(Token::new);
        let callback = desk.callback();
        let tokens = desk.exchange(&code, verifier.as_ref(), &callback).await?;
        let nonce = flow.nonce.as_deref().map_or(Nonce::NotSent, Nonce::Sent);
        let vouched = desk.vouched(&tokens, nonce).await?;
        let errand = flow.errand().ok_or(SocialError::ForeignReturn)?;
        Ok((errand, vouched))
    }
}

impl Desk<'_> {
    /// Where the provider sends browsers back to. Each provider has a path of its own, so a code
    /// of one is never taken for another's (RFC 9700 §4.4.2.2, attack F14).
    pub(super) fn callback(&self) -> String {
        let base = self.auth.settings().public_url.trim_end_matches('/');
        format!("{base}/api/auth/social/{}/callback", self.name)
    }
}
