//! R25, D12: unsafe or mistaken configuration refuses to start and says what to do.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::process::{Server, ironlatch, run, said};

fn refusal(data_dir: &Path, variables: &[(&str, &str)]) -> String {
    let mut command = ironlatch(data_dir);
    command.args(["serve", "--listen", "127.0.0.1:0"]).envs(variables.iter().copied());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(78), "{}", said(&output));
    said(&output)
}

#[test]
fn every_mistake_is_told_at_once_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    let text = refusal(
        &data_dir,
        &[
            ("IRONLATCH_PUBLIC_URL", "http://auth.example.com"),
            ("IRONLATCH_PASSWORDS__LEAST_LENGTH", "6"),
            ("IRONLATCH_TRUSTED_PROXIES", "somewhere"),
            ("IRONLATCH_SIGN_UP__NEUTRLA", "true"),
            ("IRONLATCH_MAIL__TRANSPORT", "pigeon"),
        ],
    );
    for part in [
        "public_url: over http",
        "passwords.least_length: must be 8 or more",
        "trusted_proxies: \"somewhere\"",
        "sign_up.neutrla (environment IRONLATCH_SIGN_UP__NEUTRLA): unknown field",
        "mail.transport (environment IRONLATCH_MAIL__TRANSPORT): unknown variant",
    ] {
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    assert!(!data_dir.exists());
}

#[test]
fn weak_hashing_is_refused_outside_tests() {
    let folder = tempfile::tempdir().unwrap();
    let weak = [("IRONLATCH_PASSWORDS__ALLOW_WEAK_HASHING_FOR_TESTS", "false")];
    assert!(refusal(folder.path(), &weak).contains("below OWASP's least"));
}

#[test]
fn postgres_needs_a_master_key_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let url = [("IRONLATCH_DATABASE_URL", "postgres://127.0.0.1:1/x")];
    assert!(refusal(folder.path(), &url).contains("IRONLATCH_MASTER_KEY_FILE"));
}

#[test]
fn a_data_directory_database_or_key_open_to_everybody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().join("data");
    drop(Server::start(&data_dir));
    let refuse = |path: &Path, mode, sentence: &str| {
        let before = path.metadata().unwrap().permissions();
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        let output = run(&data_dir, &["serve", "--listen", "127.0.0.1:0"]);
        assert!(!output.status.success());
        assert!(said(&output).contains(sentence), "{}", said(&output));
        std::fs::set_permissions(path, before).unwrap();
    };
    refuse(&data_dir, 0o777, "chmod 700");
    refuse(&data_dir.join("ironlatch.db"), 0o644, "can read the database");
    refuse(&data_dir.join("master.key"), 0o644, "chmod 600");
}

#[test]
fn a_lost_master_key_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    drop(Server::start(folder.path()));
    std::fs::remove_file(folder.path().join("master.key")).unwrap();
    let output = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(said(&output).contains("master.key is missing"), "{}", said(&output));
    std::fs::write(folder.path().join("master.key"), [7; 32]).unwrap();
    std::fs::set_permissions(folder.path().join("master.key"), PermissionsExt::from_mode(0o600))
        .unwrap();
    let output = run(folder.path(), &["serve", "--listen", "127.0.0.1:0"]);
    assert!(said(&output).contains("not the one this database was sealed with"));
}

#[test]
fn what_holds_is_printed_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = ironlatch(folder.path());
    let url = "postgres://me:hunter2@db.example/ironlatch";
    let output = command.args(["config", "print"]).env("IRONLATCH_DATABASE_URL", url).output();
    let text = said(&output.unwrap());
    assert!(text.contains("database_url = \"postgres://me:…@db.example/ironlatch\""), "{text}");
    assert!(text.contains("# environment IRONLATCH_DATABASE_URL"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    assert!(said(&run(folder.path(), &["config", "check"])).contains("is fine"));
}
