//! One connection with the statements prepared on it.

use std::collections::HashMap;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, Error};

use super::super::{Batch, Cell, Row, Statement, Value, WriteError};
use super::{failure, text};
use crate::error::InternalError;

/// A connection in use. Statements are prepared once and kept for as long as it lives; their
/// number is bounded because every text is written in the source.
pub(super) struct Session<'c> {
    connection: &'c Connection,
    prepared: HashMap<(usize, usize), rusqlite::Statement<'c>>,
}

impl<'c> Session<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self { connection, prepared: HashMap::new() }
    }

    /// Whether a transaction is open. Some errors (a full disk, a failed read) end it
    /// without being asked.
    pub(super) fn in_transaction(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Runs a text without parameters, for transaction control.
    pub(super) fn control(&mut self, sql: &'static str) -> Result<(), Error> {
        self.run(sql, &[], false).map(drop)
    }

    /// Runs a `SELECT`.
    pub(super) fn read(&mut self, statement: &Statement) -> Result<Vec<Row>, InternalError> {
        self.run(statement.sql, &statement.values, true).map_err(|error| failure::internal(&error))
    }

    /// Runs a batch inside the open transaction. On an error nothing of the batch remains;
    /// whether the transaction still exists, ask [`Session::in_transaction`].
    pub(super) fn write(&mut self, batch: &Batch) -> Result<Vec<Row>, WriteError> {
        // One statement needs no savepoint: SQLite undoes a failed statement by itself, and
        // one that changed nothing has left nothing.
        if let [statement] = batch.statements.as_slice() {
            return self.change(statement, batch.returning == Some(0));
        }
        self.control("SAVEPOINT batch").map_err(|error| failure::of_write(&error))?;
        match self.changes(batch) {
            Ok(rows) => {
                self.control("RELEASE batch").map_err(|error| failure::of_write(&error))?;
                Ok(rows)
            }
            Err(error) => {
                if self.in_transaction() {
                    self.undo().map_err(|error| failure::of_write(&error))?;
                }
                Err(error)
            }
        }
    }

    fn changes(&mut self, batch: &Batch) -> Result<Vec<Row>, WriteError> {
        let (mut answer, mut changed) = (Vec::new(), true);
        for (index, statement) in batch.statements.iter().enumerate() {
            if statement.follows_change && !statement.must_change && !changed {
                continue;
            }
            let wanted = batch.returning == Some(index);
            let rows = self.change(statement, wanted)?;
            changed = self.connection.changes() > 0;
            if wanted {
                answer = rows;
            }
        }
        Ok(answer)
    }

    fn change(&mut self, statement: &Statement, wanted: bool) -> Result<Vec<Row>, WriteError> {
        let rows = self
            .run(statement.sql, &statement.values, wanted)
            .map_err(|error| failure::of_write(&error))?;
        if statement.must_change && self.connection.changes() == 0 {
            return Err(WriteError::Conflict { index: None });
        }
        Ok(rows)
    }

    /// Takes back what the batch did. If even that fails, nothing of the whole transaction
    /// may stay, as nobody could say what it holds.
    fn undo(&mut self) -> Result<(), Error> {
        let undone = self.control("ROLLBACK TO batch").and_then(|()| self.control("RELEASE batch"));
        if undone.is_err() && self.in_transaction() {
            self.control("ROLLBACK")?;
        }
        undone
    }

    /// Runs to the end; keeps the rows only when they are wanted.
    pub(super) fn run(
        &mut self,
        sql: &'static str,
        values: &[Value],
        wanted: bool,
    ) -> Result<Vec<Row>, Error> {
        let statement = match self.prepared.entry((sql.as_ptr().addr(), sql.len())) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(new) => {
                new.insert(self.connection.prepare(&text::numbered(sql))?)
            }
        };
        if statement.parameter_count() != values.len() {
            return Err(Error::InvalidParameterCount(values.len(), statement.parameter_count()));
        }
        for (position, value) in values.iter().enumerate() {
            statement.raw_bind_parameter(position + 1, value)?;
        }
        let columns = statement.column_count();
        let mut found = statement.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            if wanted {
                rows.push(copied(row, columns)?);
            }
        }
        Ok(rows)
    }
}

fn copied(row: &rusqlite::Row<'_>, columns: usize) -> Result<Row, Error> {
    let mut cells = Vec::with_capacity(columns);
    for column in 0..columns {
        cells.push(match row.get_ref(column)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Int(number),
            ValueRef::Text(bytes) => Cell::Text(
                std::str::from_utf8(bytes)
                    .map_err(|error| Error::Utf8Error(column, error))?
                    .to_owned(),
            ),
            ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
            other @ ValueRef::Real(_) => {
                let name = format!("column {column}");
                return Err(Error::InvalidColumnType(column, name, other.data_type()));
            }
        });
    }
    Ok(Row::new(cells))
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Int(Some(number)) => ValueRef::Integer(*number),
            Self::Bool(Some(flag)) => ValueRef::Integer(i64::from(*flag)),
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Uuid(Some(uuid)) => ValueRef::Blob(uuid.as_bytes()),
            Self::Int(None)
            | Self::Bool(None)
            | Self::Text(None)
            | Self::Bytes(None)
            | Self::Uuid(None) => ValueRef::Null,
        }))
    }
}
