//! Whether a database was sealed with the master key at hand.

use super::{Place, Secrets, store};
use crate::database::Database;
use crate::error::InternalError;

const PLACE: Place<'static> =
    Place { table: "master_key_checks", column: "sealed_check", row: b"1" };
const CLEAR: &[u8] = b"ironlatch";

/// Whether this database belongs to this master key. The first node to ask makes it so; of two
/// that ask at once one row stands, and both are judged by it.
pub(crate) async fn is_ours(database: &Database, secrets: &Secrets) -> Result<bool, InternalError> {
    let standing = if let Some(standing) = store::find(database).await? {
        standing
    } else {
        store::insert_if_none(database, secrets.seal(PLACE, CLEAR)?).await?;
        store::find(database)
            .await?
            .ok_or_else(|| InternalError::fault("the master key's check value vanished"))?
    };
    Ok(secrets.open(PLACE, &standing).is_ok_and(|clear| clear == CLEAR))
}
