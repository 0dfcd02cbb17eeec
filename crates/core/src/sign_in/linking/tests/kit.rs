//! What the tests stand on.

use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::Auth;
use crate::accounts::{Email, Username};
use crate::client::Client;
use crate::ids::AccountId;
use crate::ports::{Clock, Mail, MailTransport, SendError, Token};
use crate::sessions::{Account, Present};
use crate::settings::{ProviderKind, ProviderSettings, Settings};
use crate::sign_in::{
    Arrival, NewAccount, PasswordAttempt, SignInError, SignUp, SignedIn, SocialSignInError, Step,
};
use crate::social::Vouched;
use crate::time::{Timestamp, micros_of};

pub(super) const ADA: &str = "ada@example.com";
pub(super) const PASSWORD: &str = "vierzehn Igel im Regen";

/// A clock to move.
pub(super) struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Mail goes here.
#[derive(Default)]
pub(super) struct Mails(Mutex<Vec<Mail>>);

impl MailTransport for Mails {
    fn send<'a>(
        &'a self,
        mail: &'a Mail,
    ) -> Pin<Box<dyn Future<Output = Result<(), SendError>> + Send + 'a>> {
        self.0.lock().unwrap().push(mail.clone());
        Box::pin(std::future::ready(Ok(())))
    }
}

pub(super) struct Kit {
    pub(super) auth: Auth,
    clock: Arc<Hand>,
    mails: Arc<Mails>,
    settings: Settings,
    url: String,
    networks: Arc<AtomicU32>,
}

/// Runs a test on every engine.
pub(super) async fn each(test: impl AsyncFn(Kit)) {
    each_with(|_| (), test).await;
}

/// The same with other settings.
pub(super) async fn each_with(change: impl Fn(&mut Settings), test: impl AsyncFn(Kit)) {
    let folder = tempfile::tempdir().unwrap();
    let postgres = ironlatch_testkit::postgres().await;
    let mut urls = vec![format!("sqlite:{}", folder.path().join("test.db").display())];
    urls.extend(postgres.as_ref().map(|database| database.url.clone()));
    for url in urls {
        let mut settings = Settings::default();
        settings.passwords.allow_weak_hashing_for_tests = true;
        settings.passwords.argon2_memory_kib = 8;
        settings.passwords.argon2_passes = 1;
        settings.passwords.slots = 1;
        settings.social.insert("google".to_owned(), provider(ProviderKind::Google));
        settings.social.insert("github".to_owned(), provider(ProviderKind::Github));
        change(&mut settings);
        let clock = Arc::new(Hand(AtomicI64::new(1_782_907_200_000_000)));
        let (mails, networks) = (Arc::default(), Arc::default());
        test(Kit::open(settings, url, (clock, mails, networks)).await).await;
    }
}

fn provider(kind: ProviderKind) -> ProviderSettings {
    ProviderSettings {
        kind,
        title: Some(format!("The {kind:?}")),
        client_id: "client".to_owned(),
        client_secret: Some(Token::new("a secret of ours".to_owned())),
        redirect_uri: Some("https://app.example.com/callback".to_owned()),
        scopes: Vec::new(),
        endpoints: crate::settings::Endpoints::default(),
        allow_private_addresses: false,
        email_domains: Vec::new(),
        store_tokens: false,
    }
}

impl Kit {
    async fn open(
        settings: Settings,
        url: String,
        (clock, mails, networks): (Arc<Hand>, Arc<Mails>, Arc<AtomicU32>),
    ) -> Self {
        let auth = Auth::builder()
            .settings(settings.clone())
            .database(&url)
            .master_key([7; 32])
            .clock(Arc::<Hand>::clone(&clock))
            .mail(Arc::<Mails>::clone(&mails));
        let auth = auth.build().await.unwrap();
        Self { auth, clock, mails, settings, url, networks }
    }

    /// Another node on the same database.
    pub(super) async fn node(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = self.settings.clone();
        change(&mut settings);
        let shared = (Arc::clone(&self.clock), Arc::clone(&self.mails), Arc::clone(&self.networks));
        Self::open(settings, self.url.clone(), shared).await
    }

    pub(super) fn advance(&self, span: Duration) {
        self.clock.0.fetch_add(micros_of(span), Ordering::SeqCst);
    }

    /// Somebody from a network that nobody has used.
    pub(super) fn stranger(&self) -> Client {
        let n = self.networks.fetch_add(1, Ordering::Relaxed);
        let address = Ipv4Addr::from_bits(0x0A00_0001 + n).into();
        Client { address, user_agent: "Testkit/1.0".to_owned(), device: None }
    }

    pub(super) fn arrival(&self) -> Arrival {
        Arrival::new(self.stranger())
    }

    /// Signs in with what a provider says.
    pub(super) async fn with(&self, vouched: &Vouched) -> Result<Step, SocialSignInError> {
        self.auth.sign_in().with_identity(vouched, &self.arrival()).await
    }

    /// The same, where no second step is asked for.
    pub(super) async fn enter(&self, vouched: &Vouched) -> SignedIn {
        match self.with(vouched).await {
            Ok(Step::SignedIn(signed_in)) => *signed_in,
            other => panic!("{other:?}"),
        }
    }

    /// An account whose address an operator vouches for.
    pub(super) async fn proven(&self, email: &str) -> AccountId {
        let new = NewAccount {
            email: Email::parse(email).unwrap(),
            username: None,
            password: Some(Token::new(PASSWORD.to_owned())),
            is_staff: false,
            is_superuser: false,
            role: None,
        };
        self.auth.sign_in().create_account(new).await.unwrap()
    }

    /// An account that claims an address.
    pub(super) async fn unproven(&self, email: &str) -> Account {
        let wish = SignUp {
            username: None,
            email: Email::parse(email).unwrap(),
            name: None,
            password: Token::new(PASSWORD.to_owned()),
            arrival: self.arrival(),
        };
        self.auth.sign_in().sign_up(wish).await.unwrap();
        let account = crate::accounts::AccountRef::Email(Email::parse(email).unwrap());
        self.auth.accounts().find(&account).await.unwrap().unwrap()
    }

    pub(super) async fn with_password(&self, who: &str) -> Result<SignedIn, SignInError> {
        let identifier = match Email::parse(who) {
            Ok(email) => email.into(),
            Err(_) => Username::parse(who).unwrap().into(),
        };
        let attempt = PasswordAttempt {
            identifier,
            password: Token::new(PASSWORD.to_owned()),
            expects_second_factor: false,
            arrival: self.arrival(),
        };
        match self.auth.sign_in().with_password(attempt).await? {
            Step::SignedIn(signed_in) => Ok(*signed_in),
            Step::SecondFactor(_) => panic!("a second step was asked for"),
        }
    }

    pub(super) async fn present(&self, signed_in: &SignedIn) -> Present {
        self.auth.sessions().check(signed_in.started.access.reveal()).await.unwrap()
    }

    pub(super) async fn works(&self, signed_in: &SignedIn) -> bool {
        self.auth.sessions().check(signed_in.started.access.reveal()).await.is_ok()
    }

    pub(super) async fn account(&self, id: AccountId) -> Account {
        (*self.auth.sessions().account(id).await.unwrap().unwrap()).clone()
    }

    /// Providers of an account as this node knows them.
    pub(super) async fn providers(&self, id: AccountId) -> Vec<String> {
        let identities = self.account(id).await.identities;
        identities.into_iter().map(|identity| identity.provider).collect()
    }

    pub(super) fn amr(&self, signed_in: &SignedIn) -> Vec<String> {
        let now = self.auth.clock().now();
        let claims = self.auth.tokens().read_access(signed_in.started.access.reveal(), now);
        claims.unwrap().amr.clone()
    }

    /// Subjects of the mails to an address, and the text of the last.
    pub(super) async fn mailed(&self, to: &str) -> (Vec<String>, String) {
        self.auth.messages().deliver_due().await.unwrap();
        let mails = self.mails.0.lock().unwrap();
        let mine: Vec<_> = mails.iter().filter(|mail| mail.to == to).collect();
        let text = mine.last().map(|mail| mail.text.clone()).unwrap_or_default();
        (mine.iter().map(|mail| mail.subject.clone()).collect(), text)
    }
}

/// What Google says of somebody.
pub(super) fn google(subject: &str, email: Option<&str>, is_email_verified: bool) -> Vouched {
    Vouched {
        provider: "google".to_owned(),
        issuer: "https://accounts.google.com".to_owned(),
        subject: subject.to_owned(),
        email: email.map(|email| Email::parse(email).unwrap()),
        is_email_verified,
        name: Some("Ada Lovelace".to_owned()),
        profile: serde_json::json!({ "email": email, "sub": subject }).to_string(),
        tokens: None,
    }
}

/// The same of GitHub.
pub(super) fn github(subject: &str, email: Option<&str>, is_email_verified: bool) -> Vouched {
    let (provider, issuer) = ("github".to_owned(), "https://github.com".to_owned());
    Vouched { provider, issuer, ..google(subject, email, is_email_verified) }
}
