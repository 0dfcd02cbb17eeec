//! The schema's history: embedded files, applied once, in order, forward only.
//!
//! Each migration's batch inserts its version row first; the row's key is the lock that two
//! nodes starting at once meet at. A later version than ours is fine, because a release runs on
//! its successor's schema; an altered or missing one is not.

use aws_lc_rs::digest::{SHA256, digest};

use crate::error::InternalError;

/// One step of the schema.
#[derive(Debug, Clone, Copy)]
pub(super) struct Migration {
    pub(super) version: i64,
    pub(super) name: &'static str,
    pub(super) sql: &'static str,
}

pub(super) const SQLITE: [Migration; 3] = [
    Migration {
        version: 1,
        name: "foundation",
        sql: include_str!("../../migrations/sqlite/0001_foundation.sql"),
    },
    Migration {
        version: 2,
        name: "every_client",
        sql: include_str!("../../migrations/sqlite/0002_every_client.sql"),
    },
    Migration {
        version: 3,
        name: "social",
        sql: include_str!("../../migrations/sqlite/0003_social.sql"),
    },
];

pub(super) const POSTGRES: [Migration; 3] = [
    Migration {
        version: 1,
        name: "foundation",
        sql: include_str!("../../migrations/postgres/0001_foundation.sql"),
    },
    Migration {
        version: 2,
        name: "every_client",
        sql: include_str!("../../migrations/postgres/0002_every_client.sql"),
    },
    Migration {
        version: 3,
        name: "social",
        sql: include_str!("../../migrations/postgres/0003_social.sql"),
    },
];

/// The table of applied versions on SQLite.
pub(super) const SQLITE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    checksum   BLOB    NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT";

/// The table of applied versions on PostgreSQL.
pub(super) const POSTGRES_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version    BIGINT PRIMARY KEY,
    name       TEXT   NOT NULL,
    checksum   BYTEA  NOT NULL,
    applied_at BIGINT NOT NULL
)";

/// What was applied.
pub(super) const LIST: &str = "SELECT version, checksum FROM schema_migrations ORDER BY version";

/// One applied version.
pub(super) const INSERT: &str =
    "INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES ($1, $2, $3, $4)";

/// SHA-256 of a migration's text; line ends do not count, as a checkout may change them.
pub(super) fn checksum(sql: &str) -> Vec<u8> {
    digest(&SHA256, sql.replace("\r\n", "\n").as_bytes()).as_ref().to_vec()
}

/// What must still be applied, given the versions and checksums found in the database.
pub(super) fn missing(
    known: &[Migration],
    applied: &[(i64, Vec<u8>)],
) -> Result<Vec<Migration>, InternalError> {
    let newest = known.iter().map(|migration| migration.version).max().unwrap_or(0);
    for (version, stored) in applied.iter().filter(|(version, _)| *version <= newest) {
        let Some(migration) = known.iter().find(|migration| migration.version == *version) else {
            return Err(InternalError::fault(format_args!(
                "the database has schema version {version}, which this program does not know \
                 although it knows version {newest}: use a release that knows both"
            )));
        };
        if checksum(migration.sql) != *stored {
            return Err(InternalError::fault(format_args!(
                "schema version {version} ({}) of the database differs from this program's: \
                 it was made by another build; use that build, or restore a backup",
                migration.name
            )));
        }
    }
    let is_missing =
        |migration: &&Migration| applied.iter().all(|(version, _)| *version != migration.version);
    Ok(known.iter().filter(is_missing).copied().collect())
}

#[cfg(test)]
mod tests {
    use super::{Migration, checksum, missing};

    const KNOWN: [Migration; 2] = [
        Migration { version: 1, name: "one", sql: "CREATE TABLE one (id INTEGER)" },
        Migration { version: 3, name: "three", sql: "CREATE TABLE three (id INTEGER)" },
    ];

    #[test]
    fn a_later_schema_is_welcome_but_an_unknown_earlier_one_is_not() {
        let one = (1, checksum(KNOWN[0].sql));
        let three = (3, checksum(KNOWN[1].sql));
        let later = (4, vec![0]);
        let between = (2, vec![0]);
        let left = missing(&KNOWN, std::slice::from_ref(&one)).unwrap();
        assert_eq!(left.iter().map(|migration| migration.version).collect::<Vec<_>>(), [3]);
        assert!(missing(&KNOWN, &[one.clone(), three.clone(), later]).unwrap().is_empty());
        let refused = missing(&KNOWN, &[one, between, three]).unwrap_err();
        assert!(refused.to_string().contains("schema version 2"), "{refused}");
    }

    #[test]
    fn an_altered_migration_is_refused() {
        let refused = missing(&KNOWN, &[(1, checksum("CREATE TABLE other (id INTEGER)"))]);
        assert!(refused.unwrap_err().to_string().contains("differs"));
    }
}
