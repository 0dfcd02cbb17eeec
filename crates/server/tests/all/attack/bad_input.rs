//! Whatever is sent, the answer is a clear 4xx: never a fault of ours, never half an act, and
//! the server answers on (its log is looked through when the house closes).

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::cross_site::routes;
use super::house::{House, PASSWORD, Person, each_house};
use super::http::{Answer, Call};

const FIELDS: [&str; 7] =
    ["username", "email", "password", "token", "new_password", "current_password", "refresh"];

#[rustfmt::skip]
const MALFORMED: [&str; 27] = [
    "{bad", "{", "}", "[", "nul", "{\"email\":", "{\"email\":\"a\",}", "{} {}", "\u{feff}{}",
    "{'email':'a'}", "{\"email\"}", "NaN", "Infinity", "-", "1e", "\"", "\\", "/**/{}", " ",
    "[]", "[{}]", "\"text\"", "1", "-0.0", "null", "true", "{\"a\":1e999999}",
];

/// Values that no field of ours can have, or not in this shape.
#[rustfmt::skip]
const VALUES: [&str; 25] = [
    "null", "true", "1", "-1", "1.5", "1e400", "184467440737095516160", "[]", "[\"a\"]",
    "{}", "{\"$ne\":\"\"}", "\"\"", "\" \"", "\"\\u0000\"", "\"a\\u0000b@example.com\"",
    "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\x\"", "\"\u{202e}\"", "\"' OR 1=1 --\"",
    "\"a@b\"", "\"@\"", "\"a@\u{0}\"", "\"%s%n\"", "\"${jndi:ldap://x}\"",
];

/// Bodies that say they are JSON, and what is wrong with them.
pub(super) fn json_bodies() -> Vec<(String, Vec<u8>)> {
    let mut bodies: Vec<(String, Vec<u8>)> =
        MALFORMED.iter().map(|text| ((*text).to_owned(), text.as_bytes().to_vec())).collect();
    let mut add = |what: &str, bytes: Vec<u8>| bodies.push((what.to_owned(), bytes));
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        add("deep", (open.repeat(9_000) + &close.repeat(9_000)).into_bytes());
        add("deep and open", open.repeat(9_000).into_bytes());
        add("deep in a field", format!("{{\"email\":{}", open.repeat(9_000)).into_bytes());
    }
    add("invalid UTF-8", b"{\"email\":\"\xff\xfe@example.com\"}".to_vec());
    add("an invalid key", b"{\"\xc3\x28\":\"a\"}".to_vec());
    add("overlong UTF-8", b"{\"email\":\"\xc0\xaf\"}".to_vec());
    add("UTF-16", b"\xff\xfe{\0}\0".to_vec());
    add("many digits", format!("{{\"email\":{}}}", "9".repeat(5_000)).into_bytes());
    add("many keys", many_keys());
    for field in FIELDS {
        add("a key twice", format!("{{\"{field}\":\"a\",\"{field}\":\"b\"}}").into_bytes());
        for value in VALUES {
            add(&format!("{field}: {value}"), format!("{{\"{field}\":{value}}}").into_bytes());
        }
        let long = format!("{{\"{field}\":\"{}\"}}", "x".repeat(50_000));
        add(&format!("a long {field}"), long.into_bytes());
    }
    bodies
}

fn many_keys() -> Vec<u8> {
    let members: Vec<_> = (0..4_000).map(|n| format!("\"k{n}\":1")).collect();
    format!("{{{}}}", members.join(",")).into_bytes()
}

/// Bodies of other types.
pub(super) fn other_bodies() -> Vec<(&'static str, Vec<u8>)> {
    let part = |head: &str| {
        format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\nx\r\n--b--\r\n").into_bytes()
    };
    vec![
        ("", b"{}".to_vec()),
        ("text/plain", b"{}".to_vec()),
        ("application/xml", b"<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>".to_vec()),
        ("application/json, text/plain", b"{}".to_vec()),
        ("application/jsonx", b"{}".to_vec()),
        ("application/\u{e9}", b"{}".to_vec()),
        ("a".repeat(4_000).leak(), b"{}".to_vec()),
        ("application/x-www-form-urlencoded", b"email=%ff&password=%".to_vec()),
        ("application/x-www-form-urlencoded", b"email=a&email=b".to_vec()),
        ("application/x-www-form-urlencoded", b"email[$ne]=&email%00=a".to_vec()),
        ("application/x-www-form-urlencoded", "&=".repeat(20_000).into_bytes()),
        ("multipart/form-data", part("name=\"email\"")),
        ("multipart/form-data; boundary=", part("name=\"email\"")),
        ("multipart/form-data; boundary=other", part("name=\"email\"")),
        ("multipart/form-data; boundary=b", part("name=\"email\"; filename=\"../../x\"")),
        ("multipart/form-data; boundary=b", part("name=\"\"")),
        ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: form-data".to_vec()),
        ("application/json", vec![b' '; 65 * 1024]),
        ("application/json", vec![b'['; 70 * 1024]),
    ]
}

/// A bad request is answered with its cause, in the shape of the place.
#[track_caller]
fn assert_clear(answer: &Answer, place: &str) {
    let is_fine = (400..500).contains(&answer.status);
    assert!(is_fine, "{place}: {} {}", answer.status, answer.text());
    let kind = answer.header("content-type").unwrap_or_default();
    if place.contains("/api/") {
        assert_eq!(kind, "application/json", "{place}");
        let body = answer.json();
        let members = body.as_object().unwrap_or_else(|| unreachable!("{place}: {body}"));
        let says =
            |value: &Value| value.is_string() || value.as_array().is_some_and(|it| !it.is_empty());
        assert!(!members.is_empty() && members.values().all(says), "{place}: {body}");
    } else {
        assert!(kind.starts_with("text/html") || kind == "application/problem+json", "{place}");
    }
}

/// Who did nothing wrong still has what they had.
#[track_caller]
fn assert_untouched(house: &House, ada: &Person, sessions: usize) {
    let list = house.call(Call::get("/api/auth/sessions").bearer(&ada.access));
    assert_eq!(list.json()["sessions"].as_array().map(Vec::len), Some(sessions));
    let me = house.call(Call::get("/api/auth/me").bearer(&ada.access)).json();
    assert_eq!((&me["username"], &me["email_verified"]), (&json!("ada"), &json!(false)));
    assert_eq!(house.login(&ada.email, PASSWORD).status, 200);
}

#[tokio::test]
async fn bad_bodies_get_a_clear_refusal_at_every_endpoint_and_do_nothing() {
    let environment = [
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "100000"),
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "100001"),
    ];
    each_house(&environment, |house| {
        let ada = house.person("ada");
        let other = house.signed_in(&ada.email, PASSWORD);
        let profile = house.call(Call::get("/api/profile").bearer(&ada.access)).json();
        let writes = routes(house).into_iter().filter(|(method, _)| method != "GET");
        for (method, path) in writes {
            // Signing out takes no body to be wrong: it always answers 200.
            let signs_out = path.ends_with("/logout");
            // Under its contract, fields that it does not know are nothing wrong.
            let ignores_others = path == "/api/profile";
            let send = |kind: &str, bytes: &[u8]| {
                let call = Call::new(&method, &path).body(kind, bytes);
                house.call(if signs_out { call } else { call.bearer(&ada.access) })
            };
            for (what, bytes) in json_bodies() {
                let answer = send("application/json", &bytes);
                let place = format!("{method} {path}: {what}");
                if signs_out {
                    assert_eq!(answer.status, 200, "{place}");
                } else if ignores_others && answer.status == 200 {
                    assert_eq!(answer.json(), profile, "{place}");
                } else {
                    assert_clear(&answer, &place);
                }
            }
            for (kind, bytes) in other_bodies() {
                let answer = send(kind, &bytes);
                let length = bytes.len();
                let place = format!("{method} {path}: {length} bytes of {kind:.40}");
                if signs_out {
                    assert_eq!(answer.status, 200, "{place}");
                } else if ignores_others && answer.status == 200 {
                    assert_eq!(answer.json(), profile, "{place}");
                } else {
                    assert_clear(&answer, &place);
                }
            }
        }
        assert_untouched(house, &ada, 2);
        assert_eq!(house.me(&other.access), 200);
    })
    .await;
}

/// Headers nobody should send.
fn hostile_headers() -> Vec<(&'static str, Vec<u8>)> {
    let cookies: Vec<_> = (0..150).map(|n| format!("c{n}={n}")).collect();
    let mut headers: Vec<(&'static str, Vec<u8>)> = vec![
        ("Cookie", cookies.join("; ").into_bytes()),
        ("Cookie", format!("refresh_token={}", "x".repeat(9_000)).into_bytes()),
        ("Cookie", b"refresh_token=a; refresh_token=b".to_vec()),
        ("Cookie", b"refresh_token=\"\"; =; ;;; ===; \xff\xfe=1".to_vec()),
        ("Cookie", b"__Host-ironlatch_device=..; __Host-ironlatch_sign_up=\xc3\x28".to_vec()),
        ("Cookie", format!("__Host-ironlatch_link_verify={}", "%00".repeat(900)).into_bytes()),
        ("Authorization", b"Bearer \xff\xfe".to_vec()),
        ("Authorization", b"bearer".to_vec()),
        ("Authorization", b"Bearer a b c".to_vec()),
        ("Authorization", format!("Bearer {}", "a.".repeat(4_000)).into_bytes()),
        ("Accept", b"application/json;q=abc, */*;q=-1, ;;;,,,".to_vec()),
        ("Accept-Encoding", b"gzip;q=1e9, \xff".to_vec()),
        ("Accept-Language", "x".repeat(8_000).into_bytes()),
        ("User-Agent", (1..=255).filter(|byte| *byte > 31 && *byte != 127).collect()),
        ("User-Agent", "🦔".repeat(2_000).into_bytes()),
        ("X-Forwarded-For", b"\xff, ::, [, 999.1.1.1, %00".to_vec()),
        ("X-Forwarded-For", "1.1.1.1,".repeat(1_000).into_bytes()),
        ("Forwarded", b"for=;for=\"[\";;;=,".to_vec()),
        ("X-Request-Id", b"\xff\"}{".to_vec()),
        ("Sec-Fetch-Site", b"\xff".to_vec()),
        ("Origin", b"\xff".to_vec()),
        ("Host", b"[::1".to_vec()),
        ("Host", b"a:b:c@d".to_vec()),
        ("Content-Encoding", b"gzip".to_vec()),
        ("Expect", b"100-continue".to_vec()),
        ("Expect", b"something".to_vec()),
        ("Range", b"bytes=0-0,1-1,-1".to_vec()),
        ("If-Modified-Since", b"yesterday".to_vec()),
        ("Upgrade", b"h2c".to_vec()),
        ("Connection", b"close, Host, Cookie".to_vec()),
    ];
    for _ in 0..3 {
        headers.push(("TE", b"trailers, deflate;q=0.5".to_vec()));
    }
    headers
}

/// Paths and queries nobody should ask for.
fn hostile_paths() -> Vec<String> {
    let mut paths: Vec<String> = [
        "/api/auth/%6cogin",
        "/api/auth/login%00",
        "/api/auth/..%2fme",
        "/api/auth/%2e%2e/me",
        "//api//auth//login",
        "/api/auth/login/../me",
        "/api/auth/login;a=b",
        "/API/AUTH/LOGIN",
        "/api/auth/sessions/%ff",
        "/api/auth/sessions/%00",
        "/api/auth/sessions/%2F",
        "/api/auth/sessions/' OR 1=1",
        "/api/auth/%",
        "/api/auth/%zz",
        "/api/auth/%c0%af",
        "/api/auth/verify-email?token=%ff",
        "/api/auth/verify-email?token=a&token=b",
        "/api/auth/verify-email?token",
        "/api/auth/verify-email?token[]=a",
        "/api/auth/verify-email?%00=%00&&&==",
        "/verify-email?token=%0d%0aSet-Cookie:x=y",
        "/reset-password?token=%0d%0aLocation:http://evil.example",
        "/verify-email?token=%ff",
        "/verify-email?token=a&token=b",
        "/verify-email/%2e%2e",
        "/reset-password/x",
        "/assets/../ironlatch.db",
        "/assets/%2e%2e/ironlatch.db",
        "/assets/ironlatch.css/x",
        "/.well-known/jwks.json/../../etc/passwd",
        "/.well-known/jwks.json%00.html",
        "/?",
        "/#",
        "*",
        "http://",
        "/\u{e9}",
        "/a b",
    ]
    .map(str::to_owned)
    .to_vec();
    paths.push(format!("/api/auth/{}", "a/".repeat(3_000)));
    paths.push(format!("/api/auth/verify-email?token={}", "a".repeat(9_000)));
    paths.push(format!("/verify-email?token={}", "a".repeat(9_000)));
    paths.push(format!("/verify-email?{}", "token=a&".repeat(1_000)));
    paths
}

#[tokio::test]
async fn bad_headers_methods_and_paths_are_no_fault_of_ours() {
    let environment = [("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1")];
    each_house(&environment, |house| {
        let ada = house.person("ada");
        let routes = routes(house);
        let is_route = |method: &str, path: &str| {
            routes.iter().any(|(known, at)| known == method && at == path)
        };
        for (method, path) in &routes {
            for (name, value) in hostile_headers() {
                let call = Call::new(method, path).header(name, &value);
                let answer = house.call(call.clone());
                let place = format!(
                    "{method} {path} with {name}: {:.60?}",
                    String::from_utf8_lossy(&value)
                );
                assert!((200..500).contains(&answer.status), "{place}: {}", answer.status);
                let twice = house.call(call.header(name, &value));
                assert!((200..500).contains(&twice.status), "{place} twice: {}", twice.status);
            }
            for odd in
                ["PUT", "PATCH", "TRACE", "PROPFIND", "CONNECT", "get", "A".repeat(99).as_str()]
            {
                if is_route(odd, path) {
                    continue;
                }
                let answer = house.call(Call::new(odd, path).bearer(&ada.access));
                assert!((400..500).contains(&answer.status), "{odd} {path}: {}", answer.status);
            }
        }
        for path in hostile_paths() {
            for method in ["GET", "HEAD", "POST", "DELETE", "OPTIONS"] {
                let call = Call::new(method, &path).header("Accept", "application/json");
                let answer = house.call(call.bearer(&ada.access));
                let place = format!("{method} {path:.80}: {}", answer.status);
                assert!((200..500).contains(&answer.status), "{place}");
                let location = answer.header("location").unwrap_or_default();
                assert!(!location.contains("evil"), "{place}: {location}");
                assert!(!answer.text().contains("root:"), "{place}");
            }
        }
        assert_untouched(house, &ada, 1);
    })
    .await;
}

/// Numbers that look random and are the same at every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(most.max(1)).unwrap()).unwrap()
    }
}

/// A request with a few bytes changed, left out, doubled or put in.
fn spoiled(seed: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    let telling: [&[u8]; 12] = [
        b"\0",
        b"\xff",
        b"\r\n",
        b"\"",
        b"{",
        b"\\u0000",
        b"%00",
        b"999999999999999999999",
        b":",
        b"Transfer-Encoding: chunked\r\n",
        b"\r\n\r\n",
        b"; ",
    ];
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 => bytes[at] = u8::try_from(dice.below(256)).unwrap(),
            // The last byte stays: nothing would be left to spoil.
            1 if bytes.len() > 1 => drop(bytes.remove(at)),
            2 => {
                let end = (at + dice.below(40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            3 => bytes.truncate(at.max(1)),
            _ => {
                let piece = telling[dice.below(telling.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Sends bytes, says that no more come, and reads what the server says to it.
fn exchange(house: &House, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(house.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn spoiled_requests_are_answered_or_dropped_and_never_our_fault() {
    each_house(&[], |house| {
        let ada = house.person("ada");
        // A body that stays whole by chance may sign its own session out, and no other.
        let bob = house.person("bob");
        let body = json!({ "username": "eve", "email": "eve@example.com", "password": PASSWORD,
                           "refresh": bob.refresh, "new_password": PASSWORD, "token": "x" });
        let body = body.to_string();
        let mut dice = Dice(0x1907_0d1e_5eed_0001);
        for (method, path) in routes(house) {
            let seed = format!(
                "{method} {path} HTTP/1.1\r\nHost: auth.example.com\r\nAccept: application/json\r\n\
                 Cookie: refresh_token=a.b.c; __Host-ironlatch_link_verify=abc\r\n\
                 Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            for round in 0..60 {
                let bytes = spoiled(seed.as_bytes(), &mut dice);
                let answer = exchange(house, &bytes);
                let fault = answer.starts_with("HTTP/1.1 5");
                let shown = String::from_utf8_lossy(&bytes);
                assert!(!fault, "{method} {path}, round {round}: {answer}\nfor {shown}");
            }
        }
        assert_eq!(house.me(&ada.access), 200);
    })
    .await;
}
