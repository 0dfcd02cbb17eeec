//! R30, R05: `serve` on PostgreSQL, while the database goes away and comes back.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use ironlatch_testkit::PostgresServer;

use crate::process::{Server, ironlatch, said, status};

/// How long until `/readyz` answers this status.
fn until(server: &Server, wanted: u16) -> Duration {
    let started = Instant::now();
    while status(&server.get("/readyz", "")) != wanted {
        assert!(started.elapsed() < Duration::from_secs(20), "{wanted}: {}", server.log());
        std::thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn ready_follows_the_database_and_live_does_not() {
    let Some(mut postgres) = PostgresServer::start().await else { return };
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, [9; 32]).unwrap();
    std::fs::set_permissions(&key, PermissionsExt::from_mode(0o600)).unwrap();
    let on_postgres = || {
        let mut command = ironlatch(folder.path());
        command.env("IRONLATCH_DATABASE_URL", &postgres.url).env("IRONLATCH_MASTER_KEY_FILE", &key);
        command
    };
    let mut serve = on_postgres();
    let mut server = Server::start_with(serve.args(["serve", "--listen", "127.0.0.1:0"]));
    let mut second = on_postgres();
    let second = Server::start_with(second.args(["serve", "--listen", "127.0.0.1:0"]));
    assert_eq!(status(&second.get("/readyz", "")), 200, "nodes share a database");
    let doctor = said(&on_postgres().arg("doctor").output().unwrap());
    assert!(doctor.contains("synchronous_commit on") && doctor.contains("fsync"), "{doctor}");
    let backup = said(&on_postgres().args(["backup", "x"]).output().unwrap());
    assert!(backup.contains("pg_dump"), "{backup}");
    assert_eq!(status(&server.get("/readyz", "")), 200);

    postgres.crash();
    let noticed = until(&server, 503);
    assert!(noticed < Duration::from_millis(1_500), "not ready after {noticed:?}");
    assert_eq!(status(&server.get("/healthz", "")), 200);
    postgres.resume().await;
    let recovered = until(&server, 200);
    assert!(recovered < Duration::from_millis(2_500), "ready again after {recovered:?}");
    assert!(server.stop("TERM").success());
}
