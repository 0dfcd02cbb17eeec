//! Sign-in with providers: the five dialects against servers that speak them strictly, both
//! ways, and everything a provider can do wrong.

mod dialects;
mod id_tokens;
mod round_trip;
mod wrong_answers;

use std::sync::Arc;

use ironlatch_core::ports::Token;
use ironlatch_core::settings::{ProviderKind, Settings};
use ironlatch_core::sign_in::{Arrival, CameBack, SignedIn, SocialSignInError, Step};
use ironlatch_core::social::{Departure, Errand, Grant, Returned, SocialError};
use ironlatch_testkit::provider::{Back, FakeProvider, Person};
use ironlatch_testkit::{MovedClock, TestAuth};

const KINDS: [ProviderKind; 5] = [
    ProviderKind::Google,
    ProviderKind::Github,
    ProviderKind::Facebook,
    ProviderKind::Linkedin,
    ProviderKind::Oidc,
];

/// A provider, and a house that takes its word.
struct House {
    test: TestAuth,
    provider: FakeProvider,
}

impl House {
    async fn with(kind: ProviderKind) -> Self {
        Self::changed(kind, |_| ()).await
    }

    async fn changed(kind: ProviderKind, change: impl FnOnce(&mut Settings)) -> Self {
        let clock = Arc::new(MovedClock::new());
        let provider = FakeProvider::start(kind, Arc::<MovedClock>::clone(&clock)).await;
        Self::built(TestAuth::builder().clock(&clock), provider, change).await
    }

    /// On this database.
    async fn on(url: &str, kind: ProviderKind) -> Self {
        let clock = Arc::new(MovedClock::new());
        let provider = FakeProvider::start(kind, Arc::<MovedClock>::clone(&clock)).await;
        let builder = TestAuth::builder().clock(&clock).database(url);
        Self::built(builder, provider, |_| ()).await
    }

    async fn built(
        builder: ironlatch_testkit::TestAuthBuilder,
        provider: FakeProvider,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let offered = provider.clone();
        let builder = builder.settings(move |settings| {
            offered.offer_in(settings);
            change(settings);
        });
        Self { test: builder.build().await, provider }
    }

    fn name(&self) -> &'static str {
        self.provider.name()
    }

    fn arrival(&self) -> Arrival {
        Arrival::new(self.test.stranger())
    }

    /// The contract's way with anything.
    async fn bring(&self, grant: Grant) -> Result<SignedIn, SocialSignInError> {
        let sign_in = self.test.auth.sign_in();
        sign_in.with_social(self.name(), grant, self.arrival()).await.map(signed_in)
    }

    /// The contract's way as its client goes it.
    async fn bring_code(&self, person: &Person) -> Result<SignedIn, SocialSignInError> {
        self.bring(self.provider.code_for(person).grant()).await
    }

    async fn bring_id_token(&self, token: &str) -> Result<SignedIn, SocialSignInError> {
        let id_token = Some(Token::new(token.to_owned()));
        self.bring(Grant { id_token, ..Grant::default() }).await
    }

    async fn depart(&self) -> Departure {
        let errand = Errand::SignIn { next: Some("/app".to_owned()), source_url: None };
        let departure = self.test.auth.social().depart(self.name(), errand).await;
        departure.expect("a browser can leave")
    }

    /// Back from the provider, with the cookie and what the provider sent.
    async fn come_back(
        &self,
        departure: &Departure,
        returned: Returned,
    ) -> Result<SignedIn, SocialSignInError> {
        let sign_in = self.test.auth.sign_in();
        let back = sign_in.come_back(self.name(), Some(&departure.flow), returned, self.arrival());
        match back.await? {
            CameBack::SignIn { step, next } => {
                assert_eq!(next.as_deref(), Some("/app"));
                Ok(signed_in(*step))
            }
            CameBack::Linked { .. } => panic!("nothing was to be linked"),
        }
    }

    /// There and back.
    async fn round_trip(&self, person: &Person) -> Result<SignedIn, SocialSignInError> {
        let departure = self.depart().await;
        let back: Back = self.provider.visit(&departure.authorization_url, person);
        self.come_back(&departure, back.returned()).await
    }
}

fn signed_in(step: Step) -> SignedIn {
    match step {
        Step::SignedIn(signed_in) => *signed_in,
        Step::SecondFactor(_) => panic!("nobody here has a second factor"),
    }
}

/// Why the provider's word was not taken.
#[track_caller]
fn refusal(result: Result<SignedIn, SocialSignInError>) -> SocialError {
    match result {
        Err(SocialSignInError::Social(error)) => error,
        Err(other) => panic!("refused for another reason: {other}"),
        Ok(_) => panic!("somebody was signed in"),
    }
}

/// Somebody with an address, whose number GitHub takes.
fn ada() -> Person {
    Person::new("1815").with_email("ada@example.com").named("Ada Lovelace")
}
