//! What PostgreSQL's errors mean to a batch.

use std::error::Error as _;

use deadpool_postgres::{HookError, PoolError};
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;

use super::super::WriteError;
use crate::error::InternalError;

/// How an attempt at a batch failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// The server refused it: nothing of it remains, and trying again would not help.
    Refused(WriteError),
    /// It lost a race against another transaction and may be tried again as a whole.
    Again(String),
    /// The connection went away; whether the batch is there must be looked up.
    Lost(String),
    /// The row of this very batch is already there: an earlier attempt was committed.
    AlreadyThere,
}

/// Sorts an error of a statement or a COMMIT that was sent.
pub(super) fn of_write(error: &Error) -> Failure {
    let Some(cause) = error.as_db_error() else {
        return Failure::Lost(told(error));
    };
    let code = cause.code();
    let index = cause.constraint().map(str::to_owned);
    if *code == SqlState::UNIQUE_VIOLATION && index.as_deref() == Some("batches_pkey") {
        return Failure::AlreadyThere;
    }
    if *code == SqlState::UNIQUE_VIOLATION || *code == SqlState::FOREIGN_KEY_VIOLATION {
        return Failure::Refused(WriteError::Conflict { index });
    }
    // Our own guard: a must-change statement changed nothing.
    if *code == SqlState::DIVISION_BY_ZERO {
        return Failure::Refused(WriteError::Conflict { index: None });
    }
    if *code == SqlState::T_R_SERIALIZATION_FAILURE || *code == SqlState::T_R_DEADLOCK_DETECTED {
        return Failure::Again(told(error));
    }
    if has_left(code) {
        return Failure::Lost(told(error));
    }
    Failure::Refused(internal(error).into())
}

/// The same for reads and for finished attempts. Only the code and the message are told: the
/// detail of an error may hold what was stored.
pub(super) fn internal(error: &Error) -> InternalError {
    match error.as_db_error() {
        Some(cause) if is_passing(cause.code().code()) => InternalError::unavailable(told(error)),
        None => InternalError::unavailable(told(error)),
        Some(_) => InternalError::fault(told(error)),
    }
}

/// No connection could be had.
pub(super) fn of_pool(error: &PoolError) -> InternalError {
    match error {
        PoolError::Timeout(_) => InternalError::unavailable("no connection within the deadline"),
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            InternalError::unavailable(told(error))
        }
        PoolError::PostCreateHook(HookError::Message(sentence)) => {
            InternalError::unavailable(sentence)
        }
        PoolError::Closed | PoolError::NoRuntimeSpecified => InternalError::fault(error),
    }
}

/// Whether a connection that failed like this must not be used again.
pub(super) fn is_worn(error: &Error) -> bool {
    match error.as_db_error() {
        Some(cause) => {
            let code = cause.code();
            // A plan whose tables were altered, or a statement a pooler has forgotten.
            has_left(code)
                || *code == SqlState::FEATURE_NOT_SUPPORTED
                || *code == SqlState::INVALID_SQL_STATEMENT_NAME
        }
        None => true,
    }
}

/// The server is going away or has become a standby.
fn has_left(code: &SqlState) -> bool {
    [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
    ]
    .contains(code)
        || code.code().starts_with("08")
}

/// 25006 read only, 53 resources (a full disk among them), 55P03 a lock, 57 the operator,
/// 58 the system, 08 the connection.
fn is_passing(code: &str) -> bool {
    ["25006", "53", "55P03", "57", "58", "08"].iter().any(|prefix| code.starts_with(prefix))
}

/// Code, message or cause; never the detail, nor the URL.
pub(in super::super) fn told(error: &Error) -> String {
    match error.as_db_error() {
        Some(cause) => format!("{} ({})", cause.message(), cause.code().code()),
        None => match error.source() {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        },
    }
}
