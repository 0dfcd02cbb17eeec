//! Values and cells in PostgreSQL's binary form.

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};

use super::super::{Cell, Row, Value};
use crate::error::InternalError;

/// The type a parameter is prepared with; NULL has the type of its variant.
pub(super) const fn type_of(value: &Value) -> Type {
    match value {
        Value::Int(_) => Type::INT8,
        Value::Bool(_) => Type::BOOL,
        Value::Text(_) => Type::TEXT,
        Value::Bytes(_) => Type::BYTEA,
        Value::Uuid(_) => Type::UUID,
    }
}

impl ToSql for Value {
    fn to_sql(
        &self,
        wanted: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        // The server was told this type when the statement was prepared.
        let own = type_of(self);
        if *wanted != own {
            return Err(format!("a parameter of type {wanted} was given as {own}").into());
        }
        match self {
            Self::Int(number) => number.to_sql(wanted, out),
            Self::Bool(flag) => flag.to_sql(wanted, out),
            Self::Text(text) => text.to_sql(wanted, out),
            Self::Bytes(bytes) => bytes.to_sql(wanted, out),
            Self::Uuid(uuid) => uuid.to_sql(wanted, out),
        }
    }

    fn accepts(wanted: &Type) -> bool {
        [Type::INT8, Type::BOOL, Type::TEXT, Type::BYTEA, Type::UUID].contains(wanted)
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for Cell {
    fn from_sql(
        kind: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(match *kind {
            Type::INT2 => Self::Int(i16::from_sql(kind, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(kind, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(kind, raw)?),
            Type::BOOL => Self::Bool(bool::from_sql(kind, raw)?),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            Type::UUID => Self::Uuid(uuid::Uuid::from_sql(kind, raw)?),
            _ => Self::Text(String::from_sql(kind, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(kind: &Type) -> bool {
        [
            Type::INT2,
            Type::INT4,
            Type::INT8,
            Type::BOOL,
            Type::TEXT,
            Type::VARCHAR,
            Type::NAME,
            Type::UNKNOWN,
            Type::BYTEA,
            Type::UUID,
        ]
        .contains(kind)
    }
}

/// Copies what was answered, without the last `hidden` columns, which are ours.
pub(super) fn rows(
    found: &[tokio_postgres::Row],
    hidden: usize,
) -> Result<Vec<Row>, InternalError> {
    found
        .iter()
        .map(|row| {
            (0..row.len().saturating_sub(hidden))
                .map(|column| row.try_get(column))
                .collect::<Result<Vec<Cell>, _>>()
                .map(Row::new)
                .map_err(|error| InternalError::fault(super::failure::told(&error)))
        })
        .collect()
}
