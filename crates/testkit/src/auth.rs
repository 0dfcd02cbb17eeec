//! An [`Auth`] to test with: cheap hashing, a clock to move, an inbox to read.

use std::any::Any;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use ironlatch_core::accounts::{Account, AccountRef, Email, Username};
use ironlatch_core::client::Client;
use ironlatch_core::ids::AccountId;
use ironlatch_core::outbound::Options;
use ironlatch_core::ports::{Clock, Random, SystemRandom, Token};
use ironlatch_core::settings::Settings;
use ironlatch_core::sign_in::{
    Arrival, Evidence, PasswordAttempt, SignInError, SignUp, SignedIn, Step,
};
use ironlatch_core::time::Timestamp;
use ironlatch_core::{Auth, AuthBuilder};

use crate::{Inbox, MovedClock};

/// The password of every account the kit makes.
pub const PASSWORD: &str = "vierzehn Igel im Regen";

/// Seals every test database; not a secret.
pub const MASTER_KEY: [u8; 32] = *b"the test kit's key, of 32 bytes.";

/// An [`Auth`] on a database of its own, with what a test needs to steer and to see.
pub struct TestAuth {
    /// The product.
    pub auth: Auth,
    /// The clock it goes by.
    pub clock: Arc<MovedClock>,
    /// Where its mail and SMS go.
    pub inbox: Arc<Inbox>,
    /// Where its database is.
    pub database_url: String,
    settings: Settings,
    networks: Arc<AtomicU32>,
    keep: Option<Arc<dyn Any + Send + Sync>>,
}

/// An account the kit made, with the secret that opens it.
#[derive(Debug, Clone)]
pub struct TestAccount {
    /// The account.
    pub id: AccountId,
    /// Its address.
    pub email: String,
    /// Its password in the clear.
    pub password: String,
}

/// Puts a [`TestAuth`] together.
pub struct TestAuthBuilder {
    settings: Settings,
    database_url: Option<String>,
    clock: Arc<dyn Clock>,
    moved: Arc<MovedClock>,
    random: Arc<dyn Random>,
    inbox: Arc<Inbox>,
    outbound: Options,
    networks: Arc<AtomicU32>,
    keep: Option<Arc<dyn Any + Send + Sync>>,
}

/// The product's defaults with the cheapest hashing that is still Argon2id, and SMS to Germany.
#[must_use]
pub fn cheap_settings() -> Settings {
    let mut settings = Settings::default();
    settings.passwords.allow_weak_hashing_for_tests = true;
    settings.passwords.argon2_memory_kib = 8;
    settings.passwords.argon2_passes = 1;
    settings.passwords.slots = 1;
    settings.sms.countries = vec!["DE".to_owned()];
    settings
}

/// Opens every door, as development does.
pub fn open_doors(settings: &mut Settings) {
    let doors = &mut settings.doors;
    for door in [&mut doors.users, &mut doors.otp_session, &mut doors.accounts, &mut doors.cfg] {
        door.enabled = true;
    }
    doors.users.default_role = Some("business_owner".to_owned());
    settings.accounts.roles.push("business_owner".to_owned());
}

impl TestAuth {
    /// On an embedded database of its own, gone when dropped.
    pub async fn new() -> Self {
        Self::builder().build().await
    }

    /// On the database at `url`.
    pub async fn on(url: &str) -> Self {
        Self::builder().database(url).build().await
    }

    /// Begins to put one together.
    #[must_use]
    pub fn builder() -> TestAuthBuilder {
        let moved = Arc::new(MovedClock::new());
        TestAuthBuilder {
            settings: cheap_settings(),
            database_url: None,
            clock: Arc::<MovedClock>::clone(&moved),
            moved,
            random: Arc::new(SystemRandom),
            inbox: Arc::new(Inbox::new()),
            outbound: Options::default(),
            networks: Arc::default(),
            keep: None,
        }
    }

    /// Another node on the same database, with the same key, clock and inbox.
    pub async fn second_node(&self) -> Self {
        self.node_with(|_| ()).await
    }

    /// Another node on the same database whose settings differ.
    pub async fn node_with(&self, change: impl FnOnce(&mut Settings)) -> Self {
        let mut builder = Self::builder().database(&self.database_url).clock(&self.clock);
        builder.settings = self.settings.clone();
        builder.inbox = Arc::clone(&self.inbox);
        builder.networks = Arc::clone(&self.networks);
        builder.keep.clone_from(&self.keep);
        builder.settings(change).build().await
    }

    /// The present moment by the test's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Runs the outbox once, as its worker does after every commit.
    pub async fn deliver(&self) {
        self.auth.messages().deliver_due().await.expect("the outbox runs");
    }

    /// Signs somebody up with the kit's password, from a network of their own, and puts the
    /// mail into the inbox. The name is the part before the `@`.
    pub async fn sign_up(&self, email: &str) -> TestAccount {
        let wish = SignUp {
            username: Some(name_for(email)),
            email: address(email),
            password: Token::new(PASSWORD.to_owned()),
            name: None,
            arrival: Arrival::new(self.stranger()),
        };
        self.auth.sign_in().sign_up(wish).await.expect("the account is made");
        self.deliver().await;
        let account = self.account(email).await;
        TestAccount { id: account.id, email: email.to_owned(), password: PASSWORD.to_owned() }
    }

    /// An account whose address is proven, by the mailed link.
    pub async fn verified_account(&self, email: &str) -> TestAccount {
        let account = self.sign_up(email).await;
        let token = self.inbox.latest(email).token();
        self.auth
            .sign_in()
            .verify_email(&token, Evidence::ContractJson, &self.stranger())
            .await
            .expect("the mailed link verifies");
        account
    }

    /// Signs somebody in; fails the test when that does not work.
    pub async fn sign_in(&self, email: &str, password: &str) -> SignedIn {
        self.try_sign_in(email, password).await.expect("the sign-in works")
    }

    /// Signs somebody in from a network of their own.
    pub async fn try_sign_in(&self, email: &str, password: &str) -> Result<SignedIn, SignInError> {
        let attempt = PasswordAttempt {
            identifier: address(email).into(),
            password: Token::new(password.to_owned()),
            expects_second_factor: false,
            arrival: Arrival::new(self.stranger()),
        };
        match self.auth.sign_in().with_password(attempt).await? {
            Step::SignedIn(signed_in) => Ok(*signed_in),
            Step::SecondFactor(_) => panic!("{email} has a second factor: answer the challenge"),
        }
    }

    /// The account with this address as the store has it now.
    pub async fn account(&self, email: &str) -> Account {
        let found = self.auth.accounts().find(&AccountRef::Email(address(email))).await;
        found.expect("the store answers").expect("the account exists")
    }

    /// Somebody from a network that nobody in this test has used, so that no limit counts them
    /// together with others.
    #[must_use]
    pub fn stranger(&self) -> Client {
        let n = self.networks.fetch_add(1, Ordering::Relaxed);
        client(IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0001 + n)))
    }
}

impl TestAuthBuilder {
    /// Changes settings.
    #[must_use]
    pub fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    /// On this database instead of an embedded one of its own.
    #[must_use]
    pub fn database(mut self, url: &str) -> Self {
        self.database_url = Some(url.to_owned());
        self
    }

    /// Shares a clock with another node.
    #[must_use]
    pub fn clock(mut self, clock: &Arc<MovedClock>) -> Self {
        self.moved = Arc::clone(clock);
        self.clock = Arc::<MovedClock>::clone(clock);
        self
    }

    /// Goes by the machine's clock, for tests that race with real time.
    #[must_use]
    pub fn real_clock(mut self) -> Self {
        self.clock = Arc::new(ironlatch_core::ports::SystemClock);
        self
    }

    /// Other randomness, for tests that must repeat.
    #[must_use]
    pub fn random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// Other bounds, or another resolver, for what is asked of providers.
    #[must_use]
    pub fn outbound(mut self, options: Options) -> Self {
        self.outbound = options;
        self
    }

    /// Keeps something alive as long as any node: the guard of a throwaway database.
    #[must_use]
    pub fn keep(mut self, guard: impl Any + Send + Sync) -> Self {
        self.keep = Some(Arc::new(guard));
        self
    }

    /// Opens it.
    pub async fn build(mut self) -> TestAuth {
        let database_url = match self.database_url.take() {
            Some(url) => url,
            None => self.embedded(),
        };
        let auth = self.auth_builder(&database_url).build().await;
        TestAuth {
            auth: auth.unwrap_or_else(|error| panic!("the test's Auth does not open: {error}")),
            clock: self.moved,
            inbox: self.inbox,
            database_url,
            settings: self.settings,
            networks: self.networks,
            keep: self.keep,
        }
    }

    fn auth_builder(&self, database_url: &str) -> AuthBuilder {
        Auth::builder()
            .settings(self.settings.clone())
            .database(database_url)
            .master_key(MASTER_KEY)
            .clock(Arc::clone(&self.clock))
            .random(Arc::clone(&self.random))
            .mail(Arc::<Inbox>::clone(&self.inbox))
            .sms(Arc::<Inbox>::clone(&self.inbox))
            .outbound(self.outbound.clone())
    }

    fn embedded(&mut self) -> String {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        self.keep = Some(Arc::new(folder));
        url
    }
}

/// A client at an address.
#[must_use]
pub fn client(address: IpAddr) -> Client {
    Client { address, user_agent: "Testkit/1.0".to_owned(), device: None }
}

/// An address that the test knows to be well formed.
#[must_use]
#[track_caller]
pub fn address(email: &str) -> Email {
    match Email::parse(email) {
        Ok(email) => email,
        Err(problem) => panic!("{email} is no address: {problem:?}"),
    }
}

fn name_for(email: &str) -> Username {
    let name = email.split('@').next().unwrap_or(email);
    Username::parse(name).expect("the part before the @ is a name")
}
