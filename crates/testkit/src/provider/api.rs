//! What a provider answers over HTTP.

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use data_encoding::HEXLOWER;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use ironlatch_core::settings::ProviderKind;
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::faults::{At, Fault};
use super::token::{Access, told};
use super::{Asked, CLIENT_SECRET, FakeProvider};

/// Every path leads to one place, which decides by path and dialect.
pub(super) fn router(provider: FakeProvider) -> Router {
    Router::new().fallback(answer).with_state(provider)
}

async fn answer(State(provider): State<FakeProvider>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.expect("the request is whole").to_bytes();
    let query = parts.uri.query().unwrap_or_default();
    let mut parameters: Vec<(String, String)> =
        form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    parameters.extend(form_urlencoded::parse(&body).into_owned());
    let header = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        parameters,
        authorization: header(AUTHORIZATION).map(str::to_owned),
    };
    provider.state().asked.push(asked.clone());
    if asked.path == "/authorize" && asked.method == "GET" {
        let person = provider.state().person.clone();
        return match provider.authorize(query, &person) {
            Ok(location) => redirect(&location),
            Err(refusal) => text(StatusCode::BAD_REQUEST, &refusal),
        };
    }
    let Some(at) = provider.endpoint(&asked) else {
        return text(StatusCode::NOT_FOUND, "there is no such page");
    };
    if let Some(broken) = provider.broken(at).await {
        return broken;
    }
    match at {
        At::Token => provider.token_answer(&asked, &parts.headers),
        At::Keys => json_answer(200, &json!({ "keys": [provider.state().signer.jwk()] })),
        At::Metadata => json_answer(200, &provider.metadata()),
        At::Userinfo | At::Emails => match provider.person_answer(at, &asked, &parts.headers) {
            Ok(value) => json_answer(200, &value),
            Err(status) => json_answer(status, &json!({ "message": "Bad credentials" })),
        },
    }
}

impl FakeProvider {
    /// Which endpoint a request is for, in this dialect.
    fn endpoint(&self, asked: &Asked) -> Option<At> {
        let is = |method: &str, path: &str| asked.method == method && asked.path == path;
        let found = match self.kind() {
            ProviderKind::Google | ProviderKind::Oidc => {
                [(is("POST", "/token"), At::Token), (is("GET", "/userinfo"), At::Userinfo)]
            }
            ProviderKind::Github => [
                (is("POST", "/login/oauth/access_token"), At::Token),
                (is("GET", "/user"), At::Userinfo),
            ],
            ProviderKind::Facebook => [
                (is("GET", "/v17.0/oauth/access_token"), At::Token),
                (is("GET", "/me"), At::Userinfo),
            ],
            ProviderKind::Linkedin => [
                (is("POST", "/oauth/v2/accessToken"), At::Token),
                (is("GET", "/v2/me") || is("GET", "/v2/userinfo"), At::Userinfo),
            ],
        };
        let emails = match self.kind() {
            ProviderKind::Github => is("GET", "/user/emails"),
            ProviderKind::Linkedin => is("GET", "/v2/emailAddress"),
            _ => false,
        };
        let has_metadata = matches!(self.kind(), ProviderKind::Google | ProviderKind::Oidc);
        let path = self.issuer().replacen(self.url(), "", 1) + "/.well-known/openid-configuration";
        let mut all = found.to_vec();
        all.push((emails, At::Emails));
        all.push((is("GET", "/keys"), At::Keys));
        all.push((has_metadata && is("GET", &path), At::Metadata));
        all.into_iter().find_map(|(matches, at)| matches.then_some(at))
    }

    /// The answer of a fault in transport, if one is switched on here.
    async fn broken(&self, here: At) -> Option<Response> {
        let faults = self.state().faults.clone();
        for fault in faults {
            match fault {
                Fault::Hangs(at) if at == here => std::future::pending::<()>().await,
                Fault::Huge(at) if at == here => {
                    return Some(text(StatusCode::OK, &" ".repeat(10 * 1024 * 1024)));
                }
                Fault::Redirects(at, location) if at == here => return Some(redirect(&location)),
                Fault::Status(at, status) if at == here => {
                    let status = StatusCode::from_u16(status).expect("a status");
                    return Some(text(status, "<html>out of order</html>"));
                }
                Fault::Text(at, body) if at == here => return Some(text(StatusCode::OK, body)),
                _ => {}
            }
        }
        None
    }

    fn token_answer(&self, asked: &Asked, headers: &HeaderMap) -> Response {
        let result = self.exchange(asked);
        match self.kind() {
            // 200 even for errors, and JSON only for those who ask for it.
            ProviderKind::Github => {
                let value = match result {
                    Ok(tokens) => tokens,
                    Err("invalid_grant") => json!({ "error": "bad_verification_code" }),
                    Err("invalid_client") => json!({ "error": "incorrect_client_credentials" }),
                    Err(error) => json!({ "error": error }),
                };
                if wants_json(headers) { json_answer(200, &value) } else { form_answer(&value) }
            }
            ProviderKind::Facebook => match result {
                Ok(mut tokens) => {
                    tokens.as_object_mut().expect("an object").remove("scope");
                    json_answer(200, &tokens)
                }
                Err(error) => json_answer(
                    400,
                    &json!({ "error": { "message": error, "type": "OAuthException", "code": 100 } }),
                ),
            },
            _ => match result {
                Ok(tokens) => json_answer(200, &tokens),
                Err("invalid_client") => json_answer(401, &json!({ "error": "invalid_client" })),
                Err(error) => json_answer(400, &json!({ "error": error })),
            },
        }
    }

    /// OpenID Connect Discovery §3.
    fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.url());
        let is_google = self.kind() == ProviderKind::Google;
        json!({
            "issuer": self.issuer(),
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "userinfo_endpoint": at("/userinfo"),
            "jwks_uri": at("/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported":
                [if is_google { "client_secret_post" } else { "client_secret_basic" }],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    fn person_answer(&self, at: At, asked: &Asked, headers: &HeaderMap) -> Result<Value, u16> {
        let access = self.access(asked).ok_or(401_u16)?;
        let has = |scope: &str| access.scopes.iter().any(|known| known == scope);
        match self.kind() {
            ProviderKind::Google | ProviderKind::Oidc => Ok(self.userinfo(&access)),
            ProviderKind::Github => {
                headers.get(USER_AGENT).ok_or(403_u16)?;
                match at {
                    At::Emails if has("user:email") || has("user") => Ok(github_emails(&access)),
                    At::Emails => Err(404),
                    _ => Ok(github_user(&access)),
                }
            }
            ProviderKind::Facebook => facebook_me(&access, asked),
            ProviderKind::Linkedin => match asked.path.as_str() {
                "/v2/userinfo" => has("openid").then(|| self.userinfo(&access)).ok_or(403),
                "/v2/me" => has("r_liteprofile").then(|| linkedin_me(&access)).ok_or(403),
                _ if !has("r_emailaddress") => Err(403),
                _ => linkedin_email(&access, asked),
            },
        }
    }

    /// Whose access token it is. Facebook takes it as a parameter, the others as a header.
    fn access(&self, asked: &Asked) -> Option<Access> {
        let token = match self.kind() {
            ProviderKind::Facebook => asked.parameter("access_token"),
            _ => asked.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer ")),
        };
        self.state().access_tokens.get(token?).cloned()
    }

    fn userinfo(&self, access: &Access) -> Value {
        let mut claims = told(&access.person);
        let other = self.has(&Fault::OtherSubject);
        let subject = if other { "somebody-else" } else { &access.person.subject };
        claims.insert("sub".to_owned(), subject.into());
        access.person.overlay(&mut claims);
        Value::Object(claims)
    }
}

fn github_user(access: &Access) -> Value {
    let person = &access.person;
    let number: u64 = person.subject.parse().expect("subjects of GitHub are numbers");
    let mut user = Map::new();
    user.insert("login".to_owned(), format!("user{number}").into());
    user.insert("id".to_owned(), number.into());
    user.insert("avatar_url".to_owned(), "https://avatars.example/u/1?v=4".into());
    user.insert("name".to_owned(), person.name.clone().into());
    user.insert("email".to_owned(), person.email.clone().into());
    person.overlay(&mut user);
    Value::Object(user)
}

fn github_emails(access: &Access) -> Value {
    let person = &access.person;
    if let Some(emails) = &person.emails {
        return emails.clone();
    }
    let one = |email: &String| {
        json!([
            { "email": "other@example.org", "primary": false, "verified": true, "visibility": null },
            { "email": email, "primary": true, "verified": person.is_verified, "visibility": "private" },
        ])
    };
    person.email.as_ref().map_or(json!([]), one)
}

fn facebook_me(access: &Access, asked: &Asked) -> Result<Value, u16> {
    let token = asked.parameter("access_token").unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA256, CLIENT_SECRET.as_bytes());
    let proof = HEXLOWER.encode(hmac::sign(&key, token.as_bytes()).as_ref());
    if asked.parameter("appsecret_proof").is_some_and(|given| given != proof) {
        return Err(400);
    }
    let person = &access.person;
    let mut all = told(person);
    all.insert("id".to_owned(), person.subject.clone().into());
    person.overlay(&mut all);
    // Nothing but the identifier that was not asked for.
    let fields: Vec<&str> = asked.parameter("fields").unwrap_or("id").split(',').collect();
    all.retain(|name, _| {
        name == "id" || (fields.contains(&name.as_str()) && name != "email_verified")
    });
    Ok(Value::Object(all))
}

fn linkedin_me(access: &Access) -> Value {
    let person = &access.person;
    let (first, last) =
        person.name.as_deref().and_then(|name| name.split_once(' ')).unwrap_or_default();
    let mut me = Map::new();
    me.insert("id".to_owned(), person.subject.clone().into());
    me.insert("localizedFirstName".to_owned(), first.into());
    me.insert("localizedLastName".to_owned(), last.into());
    person.overlay(&mut me);
    Value::Object(me)
}

fn linkedin_email(access: &Access, asked: &Asked) -> Result<Value, u16> {
    let is_well_asked = asked.parameter("q") == Some("members")
        && asked.parameter("projection") == Some("(elements*(handle~))");
    if !is_well_asked {
        return Err(400);
    }
    let one = |email: &String| json!({ "handle": "urn:li:emailAddress:1", "handle~": { "emailAddress": email } });
    Ok(json!({ "elements": access.person.email.iter().map(one).collect::<Vec<_>>() }))
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"))
}

fn json_answer(status: u16, value: &Value) -> Response {
    let status = StatusCode::from_u16(status).expect("a status");
    whole(status, "application/json", value.to_string())
}

fn form_answer(value: &Value) -> Response {
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in value.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    whole(StatusCode::OK, "application/x-www-form-urlencoded", form.finish())
}

fn text(status: StatusCode, body: &str) -> Response {
    whole(status, "text/html", body.to_owned())
}

fn redirect(location: &str) -> Response {
    let mut answer = whole(StatusCode::FOUND, "text/plain", String::new());
    answer.headers_mut().insert(LOCATION, location.parse().expect("a location"));
    answer
}

fn whole(status: StatusCode, content_type: &str, body: String) -> Response {
    let built = Response::builder().status(status).header(CONTENT_TYPE, content_type);
    built.body(Body::from(body)).expect("a response")
}
