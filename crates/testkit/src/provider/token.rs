//! The token endpoint, and the ID tokens it gives.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ironlatch_core::settings::ProviderKind;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::authorization::challenge_of;
use super::faults::Fault;
use super::keys::unsigned;
use super::{Asked, CLIENT_ID, CLIENT_SECRET, FakeProvider, Person, secret};

/// A code that was given and not used.
pub(super) struct Code {
    pub(super) redirect_uri: String,
    pub(super) challenge: Option<String>,
    pub(super) nonce: Option<String>,
    pub(super) scopes: Vec<String>,
    pub(super) person: Person,
    pub(super) expires_at: i64,
}

/// What an access token is good for.
#[derive(Clone)]
pub(super) struct Access {
    pub(super) person: Person,
    pub(super) scopes: Vec<String>,
}

impl FakeProvider {
    /// Tokens for a code, or the error's code.
    pub(super) fn exchange(&self, asked: &Asked) -> Result<Value, &'static str> {
        let switched = self.state().faults.iter().find_map(|fault| match fault {
            Fault::TokenError(error) => Some(*error),
            _ => None,
        });
        if let Some(error) = switched {
            return Err(error);
        }
        let is_facebook = self.kind() == ProviderKind::Facebook;
        if !is_facebook && self.kind() != ProviderKind::Github {
            let grant = asked.parameter("grant_type");
            (grant == Some("authorization_code")).then_some(()).ok_or("unsupported_grant_type")?;
        }
        self.authenticate(asked)?;
        let presented = asked.parameter("code").ok_or("invalid_request")?;
        // Whatever happens next, the code is gone (RFC 6749 §4.1.2).
        let code = self.state().codes.remove(presented).ok_or("invalid_grant")?;
        let is_right = code.expires_at > self.now_seconds()
            && asked.parameter("redirect_uri") == Some(&code.redirect_uri);
        is_right.then_some(()).ok_or("invalid_grant")?;
        match (&code.challenge, asked.parameter("code_verifier")) {
            (None, None) => {}
            (Some(challenge), Some(verifier)) if *challenge == challenge_of(verifier) => {}
            _ => return Err("invalid_grant"),
        }
        Ok(self.tokens(&code))
    }

    fn tokens(&self, code: &Code) -> Value {
        let token = secret("at-");
        let access = Access { person: code.person.clone(), scopes: code.scopes.clone() };
        {
            let mut state = self.state();
            state.given.push(token.clone());
            state.access_tokens.insert(token.clone(), access);
        }
        let mut answer = json!({
            "access_token": token,
            "token_type": if self.kind() == ProviderKind::Github { "bearer" } else { "Bearer" },
            "expires_in": 3_599,
            "scope": code.scopes.join(" "),
        });
        let has_openid = code.scopes.iter().any(|scope| scope == "openid");
        if has_openid && !self.has(&Fault::NoIdToken) {
            let id_token = self.write_id_token(&code.person, code.nonce.as_deref(), Some(&token));
            answer.as_object_mut().expect("an object").insert("id_token".into(), id_token.into());
        }
        answer
    }

    /// Google, GitHub, LinkedIn and Facebook take the secret as a parameter; the OpenID provider
    /// takes it by Basic only, as its metadata says (RFC 6749 §2.3.1: encoded first).
    fn authenticate(&self, asked: &Asked) -> Result<(), &'static str> {
        let is_ours = if self.kind() == ProviderKind::Oidc {
            let encoded = |text: &str| -> String {
                form_urlencoded::byte_serialize(text.as_bytes()).collect()
            };
            let pair = format!("{}:{}", encoded(CLIENT_ID), encoded(CLIENT_SECRET));
            asked.authorization == Some(format!("Basic {}", BASE64.encode(pair.as_bytes())))
                && asked.parameter("client_secret").is_none()
        } else {
            asked.parameter("client_id") == Some(CLIENT_ID)
                && asked.parameter("client_secret") == Some(CLIENT_SECRET)
                && asked.authorization.is_none()
        };
        is_ours.then_some(()).ok_or("invalid_client")
    }

    /// What an ID token says (OpenID Connect Core §2). The generic issuer tells address and name
    /// at its userinfo endpoint only, as strict ones do (§5.4).
    pub(super) fn usual_claims(
        &self,
        person: &Person,
        nonce: Option<&str>,
        access_token: Option<&str>,
    ) -> Map<String, Value> {
        let now = self.now_seconds();
        let mut claims = Map::new();
        let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
        set("iss", self.issuer().into());
        set("sub", person.subject.clone().into());
        set("aud", CLIENT_ID.into());
        if self.kind() == ProviderKind::Google {
            set("azp", CLIENT_ID.into());
        }
        set("iat", now.into());
        set("exp", (now + 3_600).into());
        if let Some(nonce) = nonce {
            set("nonce", nonce.into());
        }
        if let Some(token) = access_token {
            let hash = digest(&SHA256, token.as_bytes());
            let (left, _) = hash.as_ref().split_at(16);
            set("at_hash", BASE64URL_NOPAD.encode(left).into());
        }
        if self.kind() != ProviderKind::Oidc {
            claims.extend(told(person));
            person.overlay(&mut claims);
        }
        claims
    }

    /// An ID token, with the faults that are switched on.
    pub(super) fn write_id_token(
        &self,
        person: &Person,
        nonce: Option<&str>,
        access_token: Option<&str>,
    ) -> String {
        let token = self.faulty_id_token(person, nonce, access_token);
        self.state().given.push(token.clone());
        token
    }

    fn faulty_id_token(
        &self,
        person: &Person,
        nonce: Option<&str>,
        access_token: Option<&str>,
    ) -> String {
        let mut claims = self.usual_claims(person, nonce, access_token);
        let (faults, signer) = {
            let state = self.state();
            (state.faults.clone(), std::sync::Arc::clone(&state.signer))
        };
        let mut header = signer.header();
        let members = header.as_object_mut().expect("an object");
        for fault in &faults {
            match fault {
                Fault::Claim(name, value) => put(&mut claims, name, value),
                Fault::Header(name, value) => put(members, name, value),
                _ => {}
            }
        }
        let claims = Value::Object(claims);
        for fault in &faults {
            match fault {
                Fault::Unsigned(word) => return unsigned(word, &claims),
                Fault::MacWithPublicKey => return signer.mac_with_public_key(&claims),
                Fault::ForeignKey => {
                    let impostor = signer.impostor();
                    return impostor.sign(&impostor.header(), &claims);
                }
                _ => {}
            }
        }
        signer.sign(&header, &claims)
    }
}

fn put(members: &mut Map<String, Value>, name: &str, value: &Value) {
    if value.is_null() {
        members.remove(name);
    } else {
        members.insert(name.to_owned(), value.clone());
    }
}

/// The standard claims about somebody (OpenID Connect Core §5.1).
pub(super) fn told(person: &Person) -> Map<String, Value> {
    let mut claims = Map::new();
    if let Some(email) = &person.email {
        claims.insert("email".to_owned(), email.clone().into());
        claims.insert("email_verified".to_owned(), person.is_verified.into());
    }
    if let Some(name) = &person.name {
        claims.insert("name".to_owned(), name.clone().into());
    }
    claims
}
