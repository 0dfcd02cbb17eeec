//! The one row by which a node knows its master key from another.

use crate::database::{Database, Statement};
use crate::error::InternalError;

/// The check value, once a first node has written it.
pub(super) async fn find(database: &Database) -> Result<Option<Vec<u8>>, InternalError> {
    let one = Statement::new("SELECT sealed_check FROM master_key_checks WHERE id = 1", []);
    database.read_one(one).await?.map(|row| row.bytes(0)).transpose()
}

/// Writes the check value unless there is one already, ours or another node's.
pub(super) async fn insert_if_none(
    database: &Database,
    sealed_check: Vec<u8>,
) -> Result<(), InternalError> {
    let first = Statement::new(
        "INSERT INTO master_key_checks (id, sealed_check)
              VALUES (1, $1)
         ON CONFLICT (id) DO NOTHING",
        [sealed_check.into()],
    );
    database.write(first.into()).await.map_err(crate::database::WriteError::unexpected)?;
    Ok(())
}
