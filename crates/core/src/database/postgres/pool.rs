//! The connections: how each is set up, and how one is had.

use std::time::Duration;

use deadpool_postgres::{
    Client, Hook, HookError, Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts,
};
use tokio_postgres::SimpleQueryMessage;

use super::address::Address;
use super::failure;
use super::tls::Tls;
use crate::error::InternalError;

/// More only wait for the server's processors and its log.
const CONNECTIONS: usize = 16;
/// How long anybody waits for a connection.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The server ends what takes longer, so that nothing runs on after we have given up on it.
const SETTINGS: &str = "SET default_transaction_isolation = 'read committed';
     SET statement_timeout = '8s';
     SET idle_in_transaction_session_timeout = '8s';
     SHOW synchronous_commit";

/// Acknowledged means durable.
const TOO_LAX: &str = "the database server answers before a commit is on its disk \
     (synchronous_commit = off): set it to `on` for this database, as sign-ins and \
     revocations that were acknowledged must never be lost";

pub(super) fn open(address: &Address) -> Result<Pool, InternalError> {
    let manager = Manager::from_config(
        address.config.clone(),
        Tls::new(&address.trust)?,
        ManagerConfig { recycling_method: RecyclingMethod::Fast },
    );
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(LONGEST_WAIT),
            create: Some(LONGEST_WAIT),
            recycle: Some(LONGEST_WAIT),
        })
        .post_create(Hook::async_fn(|client, _| {
            Box::pin(async move {
                let answers = client.simple_query(SETTINGS).await.map_err(HookError::Backend)?;
                if is_off(&answers) { Err(HookError::message(TOO_LAX)) } else { Ok(()) }
            })
        }))
        .build()
        .map_err(InternalError::fault)
}

fn is_off(answers: &[SimpleQueryMessage]) -> bool {
    answers.iter().any(|answer| {
        matches!(answer, SimpleQueryMessage::Row(row) if row.try_get(0).ok().flatten() == Some("off"))
    })
}

/// A connection, or "unavailable" within the deadline.
pub(super) async fn client(pool: &Pool) -> Result<Client, InternalError> {
    match tokio::time::timeout(LONGEST_WAIT, pool.get()).await {
        Ok(client) => client.map_err(|error| failure::of_pool(&error)),
        Err(_) => Err(InternalError::unavailable("no connection within the deadline")),
    }
}

/// Gives a connection up for good.
pub(super) fn discard(client: Client) {
    drop(Client::take(client));
}
