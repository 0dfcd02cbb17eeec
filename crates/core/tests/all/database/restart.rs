//! A server that is stopped as by a crash and comes back (reliability R05).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ironlatch_core::database::{Batch, Database, WriteError};
use ironlatch_core::error::InternalError;
use ironlatch_testkit::PostgresServer;
use tokio::task::JoinHandle;

use super::{count_up, insert, names, open};

/// Writes one row after the other and answers the names of those that were acknowledged.
fn write_on(database: Database, writer: usize, stop: Arc<AtomicBool>) -> JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut acknowledged = Vec::new();
        for number in 0.. {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            let name = format!("{writer} {number:06}");
            let mut batch = Batch::from(insert(&name));
            if number % 2 == 0 {
                batch.add(count_up());
            }
            match database.write(batch).await {
                Ok(_) => acknowledged.push(name),
                Err(WriteError::Internal(InternalError::Unavailable(_))) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("an outage is nothing but \"unavailable\": {error:?}"),
            }
        }
        acknowledged
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_restarts_and_work_goes_on_by_itself() {
    let Some(mut server) = PostgresServer::start().await else { return };
    let database = open(&server.url).await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (0..8).map(|writer| write_on(database.clone(), writer, Arc::clone(&stop))).collect();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(400)).await;
        server.crash();
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.resume().await;
    }
    let back = format!("{} back", names(&database).await.len());
    tokio::time::timeout(Duration::from_secs(10), async {
        while database.write(insert(&back).into()).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("work goes on soon after the server is back");
    stop.store(true, Ordering::SeqCst);
    let mut acknowledged = Vec::new();
    for writer in writers {
        let names = writer.await.unwrap();
        assert!(!names.is_empty());
        acknowledged.extend(names);
    }
    let stored = names(&database).await;
    let lost: Vec<_> = acknowledged.iter().filter(|&name| !stored.contains(name)).collect();
    assert!(lost.is_empty(), "acknowledged but lost: {lost:?}");
}
