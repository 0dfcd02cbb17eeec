//! Providers to sign in with: small servers on loopback that speak the dialects of Google, of any
//! OpenID Connect issuer, of GitHub, Facebook and LinkedIn, and that take nothing their
//! documents do not allow. Faults can be switched on.

mod api;
mod authorization;
mod faults;
mod keys;
mod person;
mod token;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ironlatch_core::ports::{Clock, Random, SystemRandom, Token};
use ironlatch_core::settings::{Endpoints, ProviderKind, ProviderSettings, Settings};
use serde_json::Value;
use tokio::net::TcpListener;

pub use authorization::{Back, Brought};
pub use faults::{At, Fault};
pub use keys::Signer;
pub use person::Person;

/// Where the contract's front end receives codes.
pub const FRONT_END: &str = "http://localhost:5173/oauth/callback";

/// Our name at every provider of the kit.
pub const CLIENT_ID: &str = "kit-client";

/// Our secret at every provider of the kit; with what must be encoded on the way.
pub const CLIENT_SECRET: &str = "kit+secret/%=&";

/// A provider on loopback; it stops when the test's runtime does.
#[derive(Clone)]
pub struct FakeProvider {
    inner: Arc<Inner>,
}

struct Inner {
    kind: ProviderKind,
    url: String,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

/// What changes while it runs.
struct State {
    faults: Vec<Fault>,
    registered: HashSet<String>,
    scopes: Vec<String>,
    /// Who sits at the browser.
    person: Person,
    codes: HashMap<String, token::Code>,
    access_tokens: HashMap<String, token::Access>,
    signer: Arc<Signer>,
    asked: Vec<Asked>,
    given: Vec<String>,
}

/// A request it got.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET` or `POST`.
    pub method: String,
    /// The path, without the query.
    pub path: String,
    /// The query and the form, in order.
    pub parameters: Vec<(String, String)>,
    /// The header `Authorization`.
    pub authorization: Option<String>,
}

impl Asked {
    /// A parameter of the query or the form.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

impl FakeProvider {
    /// Starts one that goes by this clock, usually the test's: ID tokens have times in them.
    pub async fn start(kind: ProviderKind, clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port on loopback");
        let port = listener.local_addr().expect("a bound port").port();
        let signer = match kind {
            ProviderKind::Oidc => Signer::es256(),
            _ => Signer::rs256(),
        };
        let state = State {
            faults: Vec::new(),
            registered: HashSet::from([FRONT_END.to_owned()]),
            scopes: Vec::new(),
            person: Person::new("1001").with_email("ada@example.com").named("Ada Lovelace"),
            codes: HashMap::new(),
            access_tokens: HashMap::new(),
            signer: Arc::new(signer),
            asked: Vec::new(),
            given: Vec::new(),
        };
        let url = format!("http://127.0.0.1:{port}");
        let provider =
            Self { inner: Arc::new(Inner { kind, url, clock, state: Mutex::new(state) }) };
        let router = api::router(provider.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        provider
    }

    /// LinkedIn as it is since 2023: the scopes `openid profile email`, ID tokens, and
    /// `/v2/userinfo` in place of `/v2/me`.
    #[must_use]
    pub fn speaking_openid(self) -> Self {
        self.state().scopes = ["openid", "profile", "email"].map(str::to_owned).to_vec();
        self
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.inner.url
    }

    /// What it speaks.
    #[must_use]
    pub fn kind(&self) -> ProviderKind {
        self.inner.kind
    }

    /// Who it says it is, in ID tokens, in metadata and with codes.
    #[must_use]
    pub fn issuer(&self) -> String {
        match self.inner.kind {
            ProviderKind::Oidc => format!("{}/realm", self.inner.url),
            _ => self.inner.url.clone(),
        }
    }

    /// The name that [`offer_in`](Self::offer_in) gives it: the kind's.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self.inner.kind {
            ProviderKind::Google => "google",
            ProviderKind::Github => "github",
            ProviderKind::Facebook => "facebook",
            ProviderKind::Linkedin => "linkedin",
            ProviderKind::Oidc => "oidc",
        }
    }

    /// `[social.<name>]` with every endpoint of this server.
    #[must_use]
    pub fn settings(&self) -> ProviderSettings {
        let at = |path: &str| Some(format!("{}{path}", self.inner.url));
        let base = Endpoints {
            issuer: Some(self.issuer()),
            authorization_endpoint: at("/authorize"),
            ..Endpoints::default()
        };
        let has_openid = !self.state().scopes.is_empty();
        let endpoints = match self.inner.kind {
            // By discovery.
            ProviderKind::Oidc => Endpoints { issuer: Some(self.issuer()), ..Endpoints::default() },
            ProviderKind::Google => Endpoints {
                token_endpoint: at("/token"),
                userinfo_endpoint: at("/userinfo"),
                jwks_uri: at("/keys"),
                ..base
            },
            ProviderKind::Github => Endpoints {
                token_endpoint: at("/login/oauth/access_token"),
                userinfo_endpoint: at("/user"),
                emails_endpoint: at("/user/emails"),
                ..base
            },
            ProviderKind::Facebook => Endpoints {
                token_endpoint: at("/v17.0/oauth/access_token"),
                userinfo_endpoint: at("/me"),
                ..base
            },
            ProviderKind::Linkedin => Endpoints {
                token_endpoint: at("/oauth/v2/accessToken"),
                userinfo_endpoint: at(if has_openid { "/v2/userinfo" } else { "/v2/me" }),
                emails_endpoint: at("/v2/emailAddress"),
                jwks_uri: at("/keys"),
                ..base
            },
        };
        let scopes = match self.inner.kind {
            ProviderKind::Linkedin if !has_openid => vec!["r_liteprofile", "r_emailaddress"],
            _ => Vec::new(),
        };
        ProviderSettings {
            redirect_uri: Some(FRONT_END.to_owned()),
            scopes: scopes.into_iter().map(str::to_owned).collect(),
            endpoints,
            allow_private_addresses: true,
            ..ProviderSettings::new(
                self.inner.kind,
                CLIENT_ID.to_owned(),
                Some(Token::new(CLIENT_SECRET.to_owned())),
            )
        }
    }

    /// Configures it under its kind's name, and registers where codes are sent to: once the
    /// public URL is set.
    pub fn offer_in(&self, settings: &mut Settings) {
        self.offer_as(self.name(), settings);
    }

    /// Configures it under another name.
    pub fn offer_as(&self, name: &str, settings: &mut Settings) {
        let base = settings.public_url.trim_end_matches('/');
        self.register(&format!("{base}/api/auth/social/{name}/callback"));
        settings.social.insert(name.to_owned(), self.settings());
    }

    /// The same as a piece of the configuration file, for the binary at this public URL.
    #[must_use]
    pub fn toml(&self, name: &str, public_url: &str) -> String {
        self.register(&format!("{public_url}/api/auth/social/{name}/callback"));
        let settings = self.settings();
        let kind = self.name();
        let mut text = format!(
            "[social.{name}]\nkind = \"{kind}\"\nclient_id = \"{CLIENT_ID}\"\n\
             client_secret = \"{CLIENT_SECRET}\"\nredirect_uri = \"{FRONT_END}\"\n\
             allow_private_addresses = true\n"
        );
        let endpoints = &settings.endpoints;
        for (key, url) in [
            ("issuer", &endpoints.issuer),
            ("authorization_endpoint", &endpoints.authorization_endpoint),
            ("token_endpoint", &endpoints.token_endpoint),
            ("userinfo_endpoint", &endpoints.userinfo_endpoint),
            ("emails_endpoint", &endpoints.emails_endpoint),
            ("jwks_uri", &endpoints.jwks_uri),
        ] {
            if let Some(url) = url {
                text.extend([key, " = \"", url, "\"\n"]);
            }
        }
        if !settings.scopes.is_empty() {
            let scopes = format!("{:?}", settings.scopes);
            text.extend(["scopes = ", &scopes, "\n"]);
        }
        text
    }

    /// Lets codes be sent to this URL as well.
    pub fn register(&self, redirect_uri: &str) {
        self.state().registered.insert(redirect_uri.to_owned());
    }

    /// Who signs in from now on, for browsers that come over HTTP.
    pub fn seat(&self, person: &Person) {
        self.state().person = person.clone();
    }

    /// Switches a fault on, besides those that are.
    pub fn break_with(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// Switches every fault off.
    pub fn mend(&self) {
        self.state().faults.clear();
    }

    /// Signs with another key from now on; the old one is no longer published.
    pub fn rotate_keys(&self) {
        self.state().signer = Arc::new(Signer::es256());
    }

    /// Every request so far, the authorization endpoint's included.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// Requests to one path so far.
    #[must_use]
    pub fn asked_at(&self, path: &str) -> Vec<Asked> {
        self.asked().into_iter().filter(|asked| asked.path == path).collect()
    }

    /// Every code, access token and ID token it gave: secrets that belong in no log.
    #[must_use]
    pub fn given(&self) -> Vec<String> {
        self.state().given.clone()
    }

    /// An ID token for this person, as the provider would make it without a nonce; faults that
    /// are switched on are in it.
    #[must_use]
    pub fn id_token(&self, person: &Person) -> String {
        self.write_id_token(person, None, None)
    }

    /// The claims that an ID token for this person would have now.
    #[must_use]
    pub fn claims(&self, person: &Person) -> Value {
        Value::Object(self.usual_claims(person, None, None))
    }

    /// An ID token of any claims, signed with the provider's present key.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let signer = Arc::clone(&self.state().signer);
        signer.sign(&signer.header(), claims)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_seconds(&self) -> i64 {
        self.inner.clock.now().seconds()
    }

    fn has(&self, wanted: &Fault) -> bool {
        self.state().faults.contains(wanted)
    }
}

/// A word nobody can guess.
fn secret(begin: &str) -> String {
    let random: &dyn Random = &SystemRandom;
    format!("{begin}{}", random.token().reveal())
}
