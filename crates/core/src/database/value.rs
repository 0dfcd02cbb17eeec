//! What goes into a statement and what comes out of a row, the same for both engines.

use std::fmt;

use uuid::Uuid;

use crate::error::InternalError;
use crate::ids::Id;
use crate::time::Timestamp;

/// A parameter of a statement. Its variant also decides the parameter's SQL type, NULL or not.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// `BIGINT` / `INTEGER`.
    Int(Option<i64>),
    /// `BOOLEAN` / `INTEGER` 0 or 1.
    Bool(Option<bool>),
    /// `TEXT`.
    Text(Option<String>),
    /// `BYTEA` / `BLOB`.
    Bytes(Option<Vec<u8>>),
    /// `UUID` / `BLOB` of 16 bytes.
    Uuid(Option<Uuid>),
}

/// Only the kind: what is stored may be secret or personal, and errors and logs print this.
impl fmt::Debug for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Int(_) => "Int(…)",
            Self::Bool(_) => "Bool(…)",
            Self::Text(_) => "Text(…)",
            Self::Bytes(_) => "Bytes(…)",
            Self::Uuid(_) => "Uuid(…)",
        })
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(Some(value))
    }
}
impl From<Option<i64>> for Value {
    fn from(value: Option<i64>) -> Self {
        Self::Int(value)
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(Some(value))
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(Some(value.to_owned()))
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(Some(value))
    }
}
impl From<Option<String>> for Value {
    fn from(value: Option<String>) -> Self {
        Self::Text(value)
    }
}
impl From<Option<&str>> for Value {
    fn from(value: Option<&str>) -> Self {
        Self::Text(value.map(str::to_owned))
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(Some(value))
    }
}
impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}
impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(Some(value.to_vec()))
    }
}
impl From<Option<Vec<u8>>> for Value {
    fn from(value: Option<Vec<u8>>) -> Self {
        Self::Bytes(value)
    }
}
impl From<Uuid> for Value {
    fn from(value: Uuid) -> Self {
        Self::Uuid(Some(value))
    }
}
impl<Of> From<Id<Of>> for Value {
    fn from(value: Id<Of>) -> Self {
        Self::Uuid(Some(value.uuid()))
    }
}
impl<Of> From<Option<Id<Of>>> for Value {
    fn from(value: Option<Id<Of>>) -> Self {
        Self::Uuid(value.map(Id::uuid))
    }
}
impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(Some(value.micros()))
    }
}
impl From<Option<Timestamp>> for Value {
    fn from(value: Option<Timestamp>) -> Self {
        Self::Int(value.map(Timestamp::micros))
    }
}

/// One column of a row as an engine gave it.
#[derive(Clone, PartialEq)]
pub enum Cell {
    /// SQL NULL.
    Null,
    /// A number; SQLite's truth values come as 0 and 1.
    Int(i64),
    /// A truth value, from PostgreSQL only.
    Bool(bool),
    /// Text.
    Text(String),
    /// Bytes; SQLite's UUIDs come as 16 of them.
    Bytes(Vec<u8>),
    /// A UUID, from PostgreSQL only.
    Uuid(Uuid),
}

/// Only the kind, as with [`Value`].
impl fmt::Debug for Cell {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Null => "Null",
            Self::Int(_) => "Int(…)",
            Self::Bool(_) => "Bool(…)",
            Self::Text(_) => "Text(…)",
            Self::Bytes(_) => "Bytes(…)",
            Self::Uuid(_) => "Uuid(…)",
        })
    }
}

/// One row of an answer; columns are read by position, in the order of the statement's text.
#[derive(Debug, Clone, PartialEq)]
pub struct Row(Vec<Cell>);

impl Row {
    /// A row as an engine read it.
    #[must_use]
    pub const fn new(cells: Vec<Cell>) -> Self {
        Self(cells)
    }

    /// The number in a column.
    pub fn int(&self, column: usize) -> Result<i64, InternalError> {
        self.optional_int(column)?.ok_or_else(|| wrong(column, "a number"))
    }

    /// The number in a column that may be NULL.
    pub fn optional_int(&self, column: usize) -> Result<Option<i64>, InternalError> {
        match self.0.get(column) {
            Some(Cell::Int(number)) => Ok(Some(*number)),
            Some(Cell::Null) => Ok(None),
            _ => Err(wrong(column, "a number")),
        }
    }

    /// The truth value in a column.
    pub fn bool(&self, column: usize) -> Result<bool, InternalError> {
        match self.0.get(column) {
            Some(Cell::Bool(flag)) => Ok(*flag),
            Some(Cell::Int(number)) => Ok(*number != 0),
            _ => Err(wrong(column, "a truth value")),
        }
    }

    /// The text in a column.
    pub fn text(&self, column: usize) -> Result<String, InternalError> {
        self.optional_text(column)?.ok_or_else(|| wrong(column, "text"))
    }

    /// The text in a column that may be NULL.
    pub fn optional_text(&self, column: usize) -> Result<Option<String>, InternalError> {
        match self.0.get(column) {
            Some(Cell::Text(text)) => Ok(Some(text.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(wrong(column, "text")),
        }
    }

    /// The bytes in a column.
    pub fn bytes(&self, column: usize) -> Result<Vec<u8>, InternalError> {
        self.optional_bytes(column)?.ok_or_else(|| wrong(column, "bytes"))
    }

    /// The bytes in a column that may be NULL.
    pub fn optional_bytes(&self, column: usize) -> Result<Option<Vec<u8>>, InternalError> {
        match self.0.get(column) {
            Some(Cell::Bytes(bytes)) => Ok(Some(bytes.clone())),
            Some(Cell::Null) => Ok(None),
            _ => Err(wrong(column, "bytes")),
        }
    }

    /// The identifier in a column.
    pub fn id<Of>(&self, column: usize) -> Result<Id<Of>, InternalError> {
        self.optional_id(column)?.ok_or_else(|| wrong(column, "an identifier"))
    }

    /// The identifier in a column that may be NULL.
    pub fn optional_id<Of>(&self, column: usize) -> Result<Option<Id<Of>>, InternalError> {
        match self.0.get(column) {
            Some(Cell::Uuid(uuid)) => Ok(Some((*uuid).into())),
            Some(Cell::Bytes(bytes)) => {
                let uuid = Uuid::from_slice(bytes).map_err(|_| wrong(column, "an identifier"))?;
                Ok(Some(uuid.into()))
            }
            Some(Cell::Null) => Ok(None),
            _ => Err(wrong(column, "an identifier")),
        }
    }

    /// The moment in a column.
    pub fn time(&self, column: usize) -> Result<Timestamp, InternalError> {
        self.int(column).map(Timestamp::from_micros)
    }

    /// The moment in a column that may be NULL.
    pub fn optional_time(&self, column: usize) -> Result<Option<Timestamp>, InternalError> {
        Ok(self.optional_int(column)?.map(Timestamp::from_micros))
    }
}

fn wrong(column: usize, expected: &str) -> InternalError {
    InternalError::fault(format_args!("column {column} of an answer is not {expected}"))
}
