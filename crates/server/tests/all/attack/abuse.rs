//! H, E03: floods, long passwords, addresses that are not one's own, lockouts, logs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::house::{House, PASSWORD, each_house, soon};
use super::http::{Answer, Call};

fn login_from(house: &House, header: (&str, &str), email: &str) -> Answer {
    let body = json!({ "email": email, "password": "not the password" });
    house.call(Call::post("/api/auth/login").header(header.0, header.1).json(body))
}

#[tokio::test]
async fn h01_long_passwords_are_refused_before_anything_is_hashed() {
    each_house(&[("IRONLATCH_METRICS_LISTEN", "0")], |house| {
        let ada = house.person("ada");
        let hashes = || super::uniform::hashes(house);
        soon("both hashes are counted", || hashes() >= 2);
        let before = hashes();
        let mega = "x".repeat(1 << 20);
        let long = "x".repeat(60_000);
        for (length, password) in [("1 MiB", &mega), ("60 kB", &long)] {
            let started = Instant::now();
            let wish = json!({ "username": "eve", "email": "eve@example.com",
                               "password": password });
            let change = json!({ "current_password": PASSWORD, "new_password": password });
            let reset = json!({ "token": "x", "new_password": password });
            let login = json!({ "email": ada.email, "password": password });
            for (path, body) in [
                ("/api/auth/register", wish),
                ("/api/auth/login", login),
                ("/api/auth/password/reset", reset),
                ("/api/auth/password/change", change),
            ] {
                let answer = house.call(Call::post(path).bearer(&ada.access).json(body));
                // A server that stops reading may be heard or not.
                let fine = [0, 400, 413].contains(&answer.status);
                assert!(fine, "H01: {length} at {path}: {}", answer.status);
            }
            assert!(started.elapsed() < Duration::from_secs(2), "H01: {:?}", started.elapsed());
        }
        assert!(hashes() - before <= 1, "H01: at most the current password was compared");
        house.signed_in(&ada.email, PASSWORD);
    })
    .await;
}

#[tokio::test]
async fn h02_a_flood_of_sign_ins_is_turned_away_within_bounds() {
    let environment = [
        ("IRONLATCH_PASSWORDS__ARGON2_MEMORY_KIB", "19456"),
        ("IRONLATCH_PASSWORDS__ARGON2_PASSES", "2"),
        ("IRONLATCH_PASSWORDS__SLOTS", "1"),
        ("IRONLATCH_PASSWORDS__QUEUE", "8"),
        ("IRONLATCH_PASSWORDS__LONGEST_WAIT", "1s"),
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "1000"),
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "2000"),
    ];
    each_house(&environment, |house| {
        let ada = house.person("ada");
        let before = memory(house, "VmRSS");
        let calls = (0..200).map(|n| {
            let email = if n % 2 == 0 { ada.email.clone() } else { format!("no{n}@example.com") };
            Call::post("/api/auth/login").json(json!({ "email": email, "password": "not it" }))
        });
        let answers = house.race(calls.collect());
        let turned_away: Vec<_> = answers.iter().filter(|it| it.status == 503).collect();
        assert!(turned_away.len() > 100, "H02: {} were turned away", turned_away.len());
        for answer in &answers {
            assert!([400, 503].contains(&answer.status), "H02: {}", answer.text());
            let after: Option<u64> = answer.header("retry-after").and_then(|it| it.parse().ok());
            assert_eq!(after.is_some(), answer.status == 503, "H02: {:?}", answer.headers);
            assert!(after.unwrap_or(1) >= 1);
        }
        let grown = memory(house, "VmHWM").saturating_sub(before);
        assert!(grown < 19_456 + 32 * 1024, "H02: grew by {grown} KiB");
        assert_eq!(house.me(&ada.access), 200, "H02: others are answered");
        soon("sign-ins work again", || house.login(&ada.email, PASSWORD).status == 200);
    })
    .await;
}

/// A line of `/proc/<pid>/status`, in KiB.
fn memory(house: &House, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", house.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

static ASKED: AtomicUsize = AtomicUsize::new(0);

/// How many of twenty sign-ins, each with another header, were let through to be compared.
fn let_through(house: &House, header: impl Fn(usize) -> (String, String)) -> usize {
    let statuses = (0..20).map(|n| {
        let (name, value) = header(n);
        // Each address once: failures of one identifier are another limit.
        let email = format!("nobody{}@example.com", ASKED.fetch_add(1, Ordering::Relaxed));
        login_from(house, (&name, &value), &email).status
    });
    statuses.filter(|status| *status == 400).count()
}

fn header(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}

/// Ten sign-ins at once, then one a minute, for each network.
const TEN: (&str, &str) = ("IRONLATCH_LIMITS__SIGN_INS_PER_NETWORK_MINUTE", "1");

#[tokio::test]
async fn h03_e03_without_a_trusted_proxy_no_header_makes_one_somebody_else() {
    each_house(&[TEN], |house| {
        let names = [
            "X-Forwarded-For",
            "Forwarded",
            "X-Real-IP",
            "X-Client-IP",
            "True-Client-IP",
            "CF-Connecting-IP",
            "X-Cluster-Client-IP",
            "Fastly-Client-IP",
            "X-Originating-IP",
        ];
        let through = let_through(house, |n| {
            let name = names[n % names.len()];
            let address = format!("203.0.113.{n}");
            header(name, if name == "Forwarded" { format!("for={address}") } else { address })
        });
        assert_eq!(through, 10, "H03: one socket, one network");
        assert!(house.log().contains("IRONLATCH_TRUSTED_PROXIES"), "the operator is warned");
    })
    .await;
}

#[tokio::test]
async fn h03_behind_trusted_proxies_the_nearest_other_hop_counts() {
    let environment = [TEN, ("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1,10.0.0.0/8")];
    each_house(&environment, |house| {
        let forwarded = |value: String| header("X-Forwarded-For", value);
        for (what, expected, through) in [
            (
                "what a client writes to the left is hearsay",
                10,
                let_through(house, |n| forwarded(format!("203.0.113.{n}, 198.51.100.1"))),
            ),
            (
                "trusted hops are passed over",
                0,
                let_through(house, |n| forwarded(format!("9.9.9.{n},198.51.100.1, 10.0.0.{n}"))),
            ),
            ("others are others", 20, let_through(house, |n| forwarded(format!("203.0.113.{n}")))),
            (
                "nonsense in the nearest hop makes nobody new",
                10,
                let_through(house, |n| forwarded(format!("203.0.113.{n}, unknown{n}"))),
            ),
            (
                "the standard header counts where the other does not come",
                10,
                let_through(house, |n| {
                    header("Forwarded", format!("for=203.0.113.{n}, for=\"[2001:db8:9::{n:x}]:8\""))
                }),
            ),
            (
                "with both, the one that proxies append to",
                10,
                let_through(house, |n| forwarded(format!("203.0.113.{n}, 198.51.100.9"))),
            ),
        ] {
            assert_eq!(through, expected, "H03: {what}");
        }
    })
    .await;
}

#[tokio::test]
async fn h03_however_an_address_is_spelled_it_is_one_network() {
    let environment = [TEN, ("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1")];
    each_house(&environment, |house| {
        let forwarded = |value: String| header("X-Forwarded-For", value);
        for (what, expected, through) in [
            (
                "IPv4 in IPv6 clothes, ports and brackets are the same address",
                10,
                let_through(house, |n| {
                    let spelled = [
                        "192.0.2.7",
                        "::ffff:192.0.2.7",
                        "::FFFF:c000:207",
                        "[::ffff:192.0.2.7]:1234",
                        "192.0.2.7:99",
                        "0:0:0:0:0:ffff:192.0.2.7",
                    ];
                    forwarded(spelled[n % spelled.len()].to_owned())
                }),
            ),
            (
                "a /64 is one network, whatever address of it comes",
                10,
                let_through(house, |n| {
                    let spelled = [
                        format!("2001:db8:1:2::{n:x}"),
                        format!("2001:0DB8:0001:0002:ffff::{n:x}"),
                        format!("[2001:db8:1:2:{n:x}::1]:443"),
                    ];
                    forwarded(spelled[n % 3].clone())
                }),
            ),
        ] {
            assert_eq!(through, expected, "H03: {what}");
        }
    })
    .await;
}

#[tokio::test]
async fn h04_strangers_cannot_lock_the_owner_out_of_a_known_device() {
    let environment = [
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_DELAY", "3"),
        ("IRONLATCH_LIMITS__FAILURES_BEFORE_STOP", "6"),
        ("IRONLATCH_TRUSTED_PROXIES", "127.0.0.1"),
    ];
    each_house(&environment, |house| {
        let (ada, eve) = (house.person("ada"), house.person("eve"));
        let statuses = (0..30).map(|n| {
            let address = format!("198.51.100.{n}");
            login_from(house, ("X-Forwarded-For", &address), &ada.email).status
        });
        let blocked = statuses.filter(|status| *status == 429).count();
        assert!(blocked > 20, "strangers are slowed down: {blocked}");
        let login = |device: &str| {
            let body = json!({ "email": ada.email, "password": PASSWORD });
            house.call(Call::post("/api/auth/login").cookie(device).json(body)).status
        };
        assert_eq!(login("x=y"), 429, "an unknown browser waits with the strangers");
        let started = Instant::now();
        assert_eq!(login(&ada.device), 200, "H04: the owner's browser does not");
        assert!(started.elapsed() < Duration::from_secs(1), "H04");
        for forged in [
            eve.device.clone(),
            ada.device[..ada.device.len() - 1].to_owned(),
            format!("{}A", ada.device),
            "__Host-ironlatch_device=x".to_owned(),
            ada.device.replace("__Host-", ""),
        ] {
            assert_eq!(login(&forged), 429, "D14: a forged or foreign device cookie: {forged}");
        }
    })
    .await;
}

#[tokio::test]
async fn h13_nothing_a_client_sends_writes_a_line_of_its_own_or_a_terminal_command() {
    let hostile = "x\u{1b}[2J\u{7f}\u{2028}\",\"level\":\"error\",\"message\":\"owned";
    each_house(&[("IRONLATCH_LOG", "debug")], |house| {
        let mut lines = 0;
        for path in ["/api/auth/login", "/%0a%7b%22level%22:%22error%22%7d", "/a%1b%5b2Jb", "/\"}"]
        {
            let mut call = Call::post(path).header("User-Agent", hostile).header("Origin", hostile);
            for name in ["Referer", "X-Request-Id", "X-Forwarded-For", "Cookie", "Authorization"] {
                call = call.header(name, hostile);
            }
            let body = json!({ "email": format!("{hostile}@example.com"), "password": hostile });
            let status = house.call(call.json(body)).status;
            assert!((400..500).contains(&status), "{path}: {status}");
            lines += 1;
        }
        let email = json!({ "email": "ada\u{1b}[2J\r\n{\"level\":\"error\"}@example.com" });
        house.call(Call::post("/api/auth/password/forgot").json(email));
        std::thread::sleep(Duration::from_millis(300));
        let log = house.log();
        assert!(!log.contains('\u{1b}') && !log.contains('\u{7f}'), "H13: {log}");
        // A header with control characters is refused before it is a request (RFC 9110 §5.5).
        let requests = log.lines().filter(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["message"] == "request" && line["path"] != "/healthz"
        });
        assert!(requests.count() <= lines + 1, "H13: more requests than were made: {log}");
        assert!(!log.contains("owned\"}"), "H13: {log}");
    })
    .await;
}

#[tokio::test]
async fn h26_nothing_listens_but_what_was_asked_for_and_metrics_only_on_loopback() {
    let environment = [("IRONLATCH_METRICS_LISTEN", "0"), ("IRONLATCH_LISTEN", "127.0.0.1:0")];
    each_house(&environment, |house| {
        let listening = listeners(house.pid());
        assert_eq!(listening.len(), 2, "H26: {listening:?}");
        assert!(listening.iter().all(|address| address.starts_with("0100007F:")), "{listening:?}");
        for path in [
            "/metrics",
            "/dev/inbox",
            "/dev/inbox.json",
            "/dev/clock",
            "/admin",
            "/debug/pprof/",
            "/.env",
            "/server-status",
            "/master.key",
            "/ironlatch.db",
        ] {
            assert_eq!(house.call(Call::get(path)).status, 404, "H26: {path}");
        }
        let metrics =
            super::http::Connection::open(house.metrics()).call(&Call::get("/api/auth/me"));
        assert_eq!(metrics.status, 404, "H26: the other listener has metrics and nothing else");
    })
    .await;
}

/// The local addresses, as the kernel writes them, on which a process listens.
fn listeners(pid: u32) -> Vec<String> {
    let sockets: Vec<String> = std::fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(Into::into)
        })
        .collect();
    let mut found = Vec::new();
    for table in ["tcp", "tcp6"] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let columns: Vec<&str> = line.split_whitespace().collect();
            let is_listening = columns[3] == "0A";
            if is_listening && sockets.iter().any(|inode| inode == columns[9]) {
                found.push(columns[1].to_owned());
            }
        }
    }
    found
}
