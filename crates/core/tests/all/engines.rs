//! Runs a test on both engines, each time on a fresh database.

/// Runs the test on an embedded database.
pub(crate) async fn on_each_engine(test: impl AsyncFn(&str)) {
    let folder = tempfile::tempdir().unwrap();
    test(&format!("sqlite:{}", folder.path().join("test.db").display())).await;
}
