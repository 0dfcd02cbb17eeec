//! Making the schema, also when several nodes start at once.

use ironlatch_core::database::Statement;
use ironlatch_core::error::InternalError;
use ironlatch_testkit::{each_engine, empty_postgres};

use super::{count, insert, names, open, try_open};

async fn start_many_nodes(url: &str) {
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let url = url.to_owned();
            tokio::spawn(async move { try_open(&url).await })
        })
        .collect();
    for node in nodes {
        let database = node.await.unwrap().unwrap();
        assert_eq!(count(&database).await, 0, "the schema is whole");
    }
    let database = open(url).await;
    let versions = Statement::new("SELECT version FROM schema_migrations", []);
    let versions = database.read(versions).await.unwrap();
    let known = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite"));
    assert_eq!(versions.len(), known.unwrap().count(), "each file once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_on_a_new_embedded_database_all_end_well() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        start_many_nodes(&format!("sqlite:{}", folder.path().join("test.db").display())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_at_once_on_a_new_postgres_all_end_well() {
    for _ in 0..3 {
        let Some(database) = empty_postgres().await else { return };
        start_many_nodes(&database.url).await;
    }
}

#[tokio::test]
async fn the_previous_release_runs_on_the_next_schema_but_not_on_another_one() {
    each_engine(async |url| {
        let database = open(&url).await;
        let later = "INSERT INTO schema_migrations (version, name, checksum, applied_at)
                     VALUES ($1, 'later', $2, 0)";
        let later = Statement::new(later, [9_999_i64.into(), vec![1_u8].into()]);
        database.write(later.into()).await.unwrap();
        database.write(insert("a").into()).await.unwrap();
        assert_eq!(names(&open(&url).await).await, ["a"]);

        let other = "UPDATE schema_migrations SET checksum = $1 WHERE version = 1";
        database.write(Statement::new(other, [vec![0_u8].into()]).into()).await.unwrap();
        let refused = try_open(&url).await.err().unwrap();
        assert!(matches!(&refused, InternalError::Fault(why) if why.contains("another build")));
    })
    .await;
}

#[tokio::test]
async fn an_address_we_cannot_use_is_refused_with_a_sentence() {
    for (url, word) in [
        ("mysql://localhost/x", "sqlite:"),
        ("sqlite:", "name a file"),
        ("sqlite::memory:", "name a file"),
        ("postgres://localhost/x?sslmode=sometimes", "verify-full"),
        ("postgres://localhost/x?sslmode=verify-full&sslrootcert=/no/such/file", "/no/such/file"),
    ] {
        let refused = try_open(url).await.err().unwrap().to_string();
        assert!(refused.contains(word), "{url}: {refused}");
    }
}
