//! What SQLite's errors mean to a caller.

use rusqlite::{Error, ErrorCode, ffi};

use super::super::WriteError;
use crate::error::InternalError;

/// A refused index or reference is a conflict, a disk that cannot serve is unavailable,
/// everything else is a fault of ours.
pub(super) fn of_write(error: &Error) -> WriteError {
    match error.sqlite_error().map(|cause| cause.extended_code) {
        Some(
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID
            | ffi::SQLITE_CONSTRAINT_FOREIGNKEY,
        ) => WriteError::Conflict { index: Some(named(error)) },
        _ => WriteError::Internal(internal(error)),
    }
}

/// The same for reads, which cannot conflict.
pub(super) fn internal(error: &Error) -> InternalError {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed,
        ) => InternalError::unavailable(error),
        _ => InternalError::fault(error),
    }
}

/// SQLite's sentence ends in the columns (`accounts.email_key`), it does not name the index.
fn named(error: &Error) -> String {
    let sentence = error.to_string();
    match sentence.rsplit_once(": ") {
        Some((_, columns)) => columns.to_owned(),
        None => sentence,
    }
}
