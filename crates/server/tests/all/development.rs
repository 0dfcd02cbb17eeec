//! `ironlatch dev`: the inbox, the clock, and nothing for strangers.

use crate::process::{Server, body, header, ironlatch, run, said, status};

fn dev() -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ironlatch(folder.path());
    let server = Server::start_with(command.args(["dev", "--listen", "127.0.0.1:0"]));
    (folder, server)
}

const ADA: &str =
    r#"{"username": "ada", "email": "ada@example.com", "password": "a long way home"}"#;

#[test]
fn mails_are_shown_newest_first_with_links_to_click() {
    let (_folder, server) = dev();
    let answer = server.post("/api/auth/register", "", ADA);
    assert_eq!(status(&answer), 201, "{answer}");
    let token: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
    let token = token["verification_token"].as_str().unwrap();
    let mails = (0..100).find_map(|_| {
        let answer = server.get("/dev/inbox.json", "");
        let mails: serde_json::Value = serde_json::from_str(body(&answer)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(50));
        (mails.as_array().unwrap().len() == 1).then_some(mails)
    });
    let mails = mails.expect("the mail arrives");
    let keys: Vec<&String> = mails[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "channel", "to", "subject", "text", "html", "sent_at"]);
    assert_eq!(mails[0]["to"], "ada@example.com");
    let link = format!("http://{}/verify-email?token={token}", server.address);
    assert!(mails[0]["text"].as_str().unwrap().contains(&link), "{mails}");
    let page = server.get("/dev/inbox", "");
    assert!(body(&page).contains(&format!("<a href=\"{link}\"")), "{page}");
    assert!(header(&page, "access-control-allow-origin").is_none());
}

#[test]
fn the_clock_moves_forward_only_and_only_for_this_machine() {
    let (_folder, server) = dev();
    let advance = r#"{"advance_seconds": 3600}"#;
    let now = |answer: &str| -> String {
        let answer: serde_json::Value = serde_json::from_str(body(answer)).unwrap();
        answer["now"].as_str().unwrap().to_owned()
    };
    let first = now(&server.post("/dev/clock", "", advance));
    let second = now(&server.post("/dev/clock", "", advance));
    assert!(second > first, "{first} {second}");
    assert_eq!(status(&server.post("/dev/clock", "", r#"{"advance_seconds": -1}"#)), 422);
    for cross_site in ["Origin: http://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        assert_eq!(status(&server.post("/dev/clock", cross_site, advance)), 403);
    }
    let rebound = "GET /dev/inbox.json HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    assert_eq!(status(&server.raw(rebound)), 421);
}

#[test]
fn it_listens_on_loopback_only_and_uses_no_shared_database() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(output.status.code(), Some(78));
    assert!(said(&output).contains("development mode shows mails"), "{}", said(&output));
    let mut command = ironlatch(folder.path());
    command.arg("dev").env("IRONLATCH_DATABASE_URL", "postgres://db/x");
    let output = command.output().unwrap();
    assert!(said(&output).contains("uses an embedded database only"), "{}", said(&output));
    let mut command = ironlatch(folder.path());
    command.arg("dev").env("IRONLATCH_PUBLIC_URL", "https://auth.example.com");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(said(&output).contains("public_url: development mode"), "{}", said(&output));
}

#[test]
fn without_a_folder_nothing_stays() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ironlatch(folder.path());
    command.env_remove("IRONLATCH_DATA_DIR").env("TMPDIR", folder.path());
    let mut server = Server::start_with(command.args(["dev", "--listen", "127.0.0.1:0"]));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert!(server.stop("INT").success());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn every_door_is_open() {
    let (_folder, server) = dev();
    assert_eq!(body(&server.get("/api/health/", "")), r#"{"status":"ok"}"#);
    for (path, answer) in [
        ("/users/who_am_i/", 403),
        ("/user/who_am_i/", 403),
        ("/accounts/protected/", 401),
        ("/api/dashboard/", 401),
    ] {
        assert_eq!(status(&server.get(path, "")), answer, "{path}");
    }
    let nothing = server.get("/cfg/accounts/nothing/", "");
    assert_eq!(body(&nothing), r#"{"detail":"Not found."}"#);
}
