//! The body of a gateway's request: JSON or a form, taken apart before anything fills it, so
//! that no text of an SMS can become structure (attack B16).

use serde_json::{Map, Value};

use super::super::fields::{Field, Gap};
use super::{GatewayFormat, GatewaySettings};
use crate::ports::{Sms, Token};

/// The body, with gaps.
pub(super) enum Content {
    Json(Node),
    Form(Vec<(String, Field)>),
}

/// A JSON value whose strings have gaps.
pub(super) enum Node {
    Plain(Value),
    Text(Field),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Content {
    pub(super) fn read(settings: &GatewaySettings) -> Result<Self, String> {
        match settings.format {
            GatewayFormat::Json => {
                let value = serde_json::from_str(&settings.body)
                    .map_err(|_| "must be JSON, or sms.http.format must be form".to_owned())?;
                Node::read(value).map(Self::Json)
            }
            GatewayFormat::Form => {
                let fields = settings.body.split('&').map(|field| {
                    let pair = field.split_once('=').filter(|(name, _)| !name.is_empty());
                    let (name, value) =
                        pair.ok_or("must be name=value&name=value, or JSON".to_owned())?;
                    Ok((name.trim().to_owned(), Field::parse(value)?))
                });
                fields.collect::<Result<_, String>>().map(Self::Form)
            }
        }
    }

    pub(super) fn has(&self, gap: Gap) -> bool {
        match self {
            Self::Json(node) => node.has(gap),
            Self::Form(fields) => fields.iter().any(|(_, field)| field.has(gap)),
        }
    }
}

impl Node {
    fn read(value: Value) -> Result<Self, String> {
        Ok(match value {
            Value::String(text) => Self::Text(Field::parse(&text)?),
            Value::Array(values) => {
                Self::List(values.into_iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            Value::Object(members) => {
                let read = |(name, value)| Ok((name, Self::read(value)?));
                Self::Object(members.into_iter().map(read).collect::<Result<_, String>>()?)
            }
            plain => Self::Plain(plain),
        })
    }

    fn has(&self, gap: Gap) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Text(field) => field.has(gap),
            Self::List(nodes) => nodes.iter().any(|node| node.has(gap)),
            Self::Object(members) => members.iter().any(|(_, node)| node.has(gap)),
        }
    }

    pub(super) fn fill(&self, sms: &Sms, token: Option<&Token>) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Text(field) => Value::String(field.fill(sms, token)),
            Self::List(nodes) => nodes.iter().map(|node| node.fill(sms, token)).collect(),
            Self::Object(members) => {
                let filled =
                    members.iter().map(|(name, node)| (name.clone(), node.fill(sms, token)));
                Value::Object(filled.collect::<Map<_, _>>())
            }
        }
    }
}
