//! Runs a test on every engine, each time on a fresh, migrated database.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;

use crate::TestAuth;

/// Runs the test on an embedded database, then on PostgreSQL where there is one (always in
/// CI). A failure names the engine.
pub fn each_engine<'a>(test: impl AsyncFn(String) + 'a) -> LocalBoxFuture<'a, ()> {
    Box::pin(async move {
        on_sqlite(&test).await;
        on_postgres(&test).await;
    })
}

/// Runs the test on every engine, each time with an `Auth` of its own.
pub fn each_auth<'a>(test: impl AsyncFn(TestAuth) + 'a) -> LocalBoxFuture<'a, ()> {
    each_engine(async move |url| test(TestAuth::on(&url).await).await)
}

/// Runs the test on an embedded database of its own.
pub async fn on_sqlite(test: &impl AsyncFn(String)) {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let url = format!("sqlite:{}", folder.path().join("test.db").display());
    named("SQLite", test(url)).await;
}

/// Runs the test on a PostgreSQL database of its own.
pub async fn on_postgres(test: &impl AsyncFn(String)) {
    if let Some(database) = crate::postgres().await {
        named("PostgreSQL", test(database.url.clone())).await;
    }
}

async fn named(engine: &str, test: impl Future<Output = ()>) {
    if let Err(panic) = AssertUnwindSafe(test).catch_unwind().await {
        eprintln!("the test failed on {engine}");
        std::panic::resume_unwind(panic);
    }
}
