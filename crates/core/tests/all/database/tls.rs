//! Encrypted connections, and whom each `sslmode` believes.
//!
//! The certificates were made for this test; the server's key secures nothing.

use ironlatch_testkit::PostgresServer;

use super::{insert, names, open, try_open};

const KEY: &str = include_str!("certificates/server.key");
const CERTIFICATE: &str = include_str!("certificates/server.pem");
const AUTHORITY: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/database/certificates/authority.pem");
const STRANGER: &str =
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/all/database/certificates/stranger.pem");

async fn server() -> Option<PostgresServer> {
    let mut server = PostgresServer::start_with(&["fsync=off"]).await?;
    server.crash();
    let _ = server.write_file("data/server.key", KEY);
    let _ = server.write_file("data/server.crt", CERTIFICATE);
    // Nobody gets in without TLS, except the test kit itself by its own name.
    let _ = server.write_file(
        "data/pg_hba.conf",
        "host    all postgres 127.0.0.1/32 trust
         hostssl all all      127.0.0.1/32 trust
         hostssl all all      ::1/128      trust\n",
    );
    let _ = server.write_file("data/postgresql.auto.conf", "ssl = on\n");
    server.resume().await;
    let (client, connection) =
        tokio_postgres::connect(&server.url, tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    client.batch_execute("CREATE ROLE door SUPERUSER LOGIN").await.unwrap();
    Some(server)
}

#[tokio::test]
async fn each_mode_believes_whom_it_says() {
    let Some(server) = server().await else { return };
    // The certificate is made out to `localhost`, not to the address.
    let url = |host: &str, query: &str| {
        format!("postgres://door@{host}:{}/postgres?{query}", server.port)
    };
    let root = |mode: &str, file: &str| format!("sslmode={mode}&sslrootcert={file}");
    let welcome = [
        url("127.0.0.1", ""),
        url("127.0.0.1", "sslmode=prefer"),
        url("127.0.0.1", "sslmode=require"),
        url("127.0.0.1", &root("verify-ca", AUTHORITY)),
        url("localhost", &root("verify-ca", AUTHORITY)),
        url("localhost", &root("verify-full", AUTHORITY)),
    ];
    for (number, url) in welcome.iter().enumerate() {
        let database = open(url).await;
        database.write(insert(&number.to_string()).into()).await.unwrap();
        assert_eq!(names(&database).await.len(), number + 1, "{url}");
    }
    let refused = [
        url("127.0.0.1", "sslmode=disable"),
        url("127.0.0.1", &root("verify-full", AUTHORITY)),
        url("localhost", &root("verify-full", STRANGER)),
        url("localhost", &root("verify-ca", STRANGER)),
        url("localhost", &root("require", STRANGER)),
        url("localhost", "sslmode=verify-full"),
    ];
    for url in refused {
        assert!(try_open(&url).await.is_err(), "{url}");
    }
}
