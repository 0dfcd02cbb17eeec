//! The authorization endpoint, and the person at the browser.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::BASE64URL_NOPAD;
use ironlatch_core::ports::Token;
use ironlatch_core::settings::ProviderKind;
use ironlatch_core::social::{Grant, Returned};
use url::{Url, form_urlencoded};

use super::faults::Fault;
use super::token::Code;
use super::{CLIENT_ID, FRONT_END, FakeProvider, Person, secret};

/// How long a code lives.
const CODE_SECONDS: i64 = 60;

/// What a provider sent the browser back with.
#[derive(Debug, Clone)]
pub struct Back {
    /// The whole URL.
    pub location: String,
    /// `code`.
    pub code: Option<String>,
    /// `state`.
    pub state: Option<String>,
    /// `iss`.
    pub issuer: Option<String>,
    /// `error`.
    pub error: Option<String>,
}

/// What the contract's client posts.
#[derive(Debug, Clone)]
pub struct Brought {
    /// The code it got.
    pub code: String,
    /// The verifier whose challenge it sent.
    pub verifier: String,
}

/// A request for a code, checked.
struct Wish {
    redirect_uri: String,
    state: Option<String>,
    nonce: Option<String>,
    challenge: Option<String>,
    scopes: Vec<String>,
}

impl Back {
    fn of(location: &str) -> Self {
        let url = Url::parse(location).expect("a redirect URI");
        let of = |name: &str| {
            url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        Self {
            code: of("code"),
            state: of("state"),
            issuer: of("iss"),
            error: of("error"),
            location: location.to_owned(),
        }
    }

    /// Path and query, as the browser asks our server for it.
    #[must_use]
    pub fn path(&self) -> String {
        let url = Url::parse(&self.location).expect("a redirect URI");
        url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path()))
    }

    /// As the core takes it.
    #[must_use]
    pub fn returned(&self) -> Returned {
        Returned {
            code: self.code.clone().map(Token::new),
            state: self.state.clone().map(Token::new),
            issuer: self.issuer.clone(),
            error: self.error.clone(),
        }
    }
}

impl Brought {
    /// As the core takes it.
    #[must_use]
    pub fn grant(&self) -> Grant {
        Grant {
            code: Some(Token::new(self.code.clone())),
            verifier: Some(Token::new(self.verifier.clone())),
            ..Grant::default()
        }
    }
}

impl FakeProvider {
    /// Plays the browser at the provider's page: the person signs in there and agrees. Fails the
    /// test where the request is one that the provider would refuse.
    #[must_use]
    #[track_caller]
    pub fn visit(&self, authorization_url: &str, person: &Person) -> Back {
        let page = format!("{}/authorize?", self.url());
        let Some(query) = authorization_url.strip_prefix(&page) else {
            panic!("{authorization_url} is not this provider's page")
        };
        match self.authorize(query, person) {
            Ok(location) => Back::of(&location),
            Err(refusal) => panic!("the provider refuses {authorization_url}: {refusal}"),
        }
    }

    /// Plays the contract's client: sends the browser away with a challenge of its own, takes the
    /// code, and posts both.
    #[must_use]
    pub fn code_for(&self, person: &Person) -> Brought {
        let verifier = secret("");
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", CLIENT_ID)
            .append_pair("redirect_uri", FRONT_END)
            .append_pair("state", "eyJub25jZSI6IngifQ==")
            .append_pair("scope", self.client_scopes());
        if self.kind() != ProviderKind::Facebook {
            query
                .append_pair("code_challenge", &challenge_of(&verifier))
                .append_pair("code_challenge_method", "S256");
        }
        let location = self.authorize(&query.finish(), person);
        let back = Back::of(&location.expect("the kit's own client asks well"));
        Brought { code: back.code.unwrap_or_default(), verifier }
    }

    fn client_scopes(&self) -> &'static str {
        match self.kind() {
            ProviderKind::Google | ProviderKind::Oidc => "openid email profile",
            ProviderKind::Github => "read:user user:email",
            ProviderKind::Facebook => "public_profile,email",
            ProviderKind::Linkedin if self.state().scopes.is_empty() => {
                "r_liteprofile r_emailaddress"
            }
            ProviderKind::Linkedin => "openid profile email",
        }
    }

    /// Where the browser goes next, or why the page shows an error instead.
    pub(super) fn authorize(&self, query: &str, person: &Person) -> Result<String, String> {
        let wish = self.wish(query)?;
        let mut back = Url::parse(&wish.redirect_uri).map_err(|error| error.to_string())?;
        let error = self.state().faults.iter().find_map(|fault| match fault {
            Fault::Denied => Some("access_denied"),
            Fault::AuthorizationError(error) => Some(*error),
            _ => None,
        });
        {
            let mut pairs = back.query_pairs_mut();
            if let Some(error) = error {
                pairs.append_pair("error", error);
                pairs.append_pair("error_description", "told by the <b>kit</b>");
            } else {
                let code = secret("code-");
                pairs.append_pair("code", &code);
                let issued = Code {
                    redirect_uri: wish.redirect_uri.clone(),
                    challenge: wish.challenge,
                    nonce: wish.nonce,
                    scopes: wish.scopes,
                    person: person.clone(),
                    expires_at: self.now_seconds() + CODE_SECONDS,
                };
                let mut state = self.state();
                state.given.push(code.clone());
                state.codes.insert(code, issued);
            }
            if let Some(state) = &wish.state {
                pairs.append_pair("state", state);
            }
            if let Some(issuer) = self.response_issuer() {
                pairs.append_pair("iss", &issuer);
            }
        }
        Ok(back.into())
    }

    /// OpenID providers name themselves (RFC 9207).
    fn response_issuer(&self) -> Option<String> {
        let switched = self.state().faults.iter().find_map(|fault| match fault {
            Fault::ResponseIssuer(issuer) => Some(issuer.clone()),
            _ => None,
        });
        let does = matches!(self.kind(), ProviderKind::Google | ProviderKind::Oidc);
        switched.unwrap_or_else(|| does.then(|| self.issuer()))
    }

    /// Reads a request as strictly as RFC 6749 §4.1.1 and RFC 7636 §4.3 allow.
    fn wish(&self, query: &str) -> Result<Wish, String> {
        let pairs: Vec<(String, String)> =
            form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let of = |name: &str| {
            let mut found = pairs.iter().filter(|(known, _)| known == name);
            match (found.next(), found.next()) {
                (first, None) => Ok(first.map(|(_, value)| value.clone())),
                _ => Err(format!("{name} is there twice")),
            }
        };
        let must = |name: &str| of(name)?.ok_or(format!("{name} is missing"));
        let redirect_uri = must("redirect_uri")?;
        if must("client_id")? != CLIENT_ID {
            return Err("an unknown client".to_owned());
        }
        if !self.state().registered.contains(&redirect_uri) {
            return Err(format!("{redirect_uri} is not registered"));
        }
        if must("response_type")? != "code" {
            return Err("only codes are given".to_owned());
        }
        let challenge = of("code_challenge")?;
        let is_facebook = self.kind() == ProviderKind::Facebook;
        match (&challenge, of("code_challenge_method")?.as_deref()) {
            (Some(challenge), Some("S256")) if challenge.len() == 43 && !is_facebook => {}
            (None, None) if is_facebook => {}
            _ => return Err("PKCE with S256 is for all but Facebook".to_owned()),
        }
        let separators = [' ', ','];
        let scopes: Vec<String> = must("scope")?.split(separators).map(str::to_owned).collect();
        let is_openid = matches!(self.kind(), ProviderKind::Google | ProviderKind::Oidc);
        if is_openid && !scopes.iter().any(|scope| scope == "openid") {
            return Err("the scope openid is missing".to_owned());
        }
        Ok(Wish { redirect_uri, state: of("state")?, nonce: of("nonce")?, challenge, scopes })
    }
}

/// RFC 7636 §4.2.
pub(super) fn challenge_of(verifier: &str) -> String {
    BASE64URL_NOPAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref())
}
