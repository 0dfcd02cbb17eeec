//! JSON bodies, stricter than `serde_json` alone: no key twice (two readers would pick
//! different ones), and nesting bounded well below the stack.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deeper than any body of ours, shallow enough for any stack.
const DEEPEST: u8 = 32;

/// More than any body of ours has; what reads the members is free to be quadratic in them.
pub(super) const MOST_MEMBERS: usize = 64;

/// A member of a body's object, as far as handlers care.
#[derive(Clone, PartialEq)]
pub(crate) enum Entry {
    /// `null`.
    Null,
    /// A string, or a number in its digits: what a text field takes.
    Text(String),
    /// A truth value.
    Bool(bool),
    /// An object's members, in order.
    Object(Vec<(String, Entry)>),
    /// A list, a file: what no field takes, by the contract's name for it.
    Other(&'static str),
}

/// A whole body.
pub(crate) enum Document {
    /// An object's members, in order.
    Object(Vec<(String, Entry)>),
    /// `null`.
    Null,
    /// Anything else, by the name the contract gives it.
    Other(&'static str),
}

/// Reads a body; the error is a sentence without any of its content.
pub(crate) fn read(bytes: &[u8]) -> Result<Document, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let document = Level(DEEPEST).deserialize(&mut reader).and_then(|found| {
        reader.end()?;
        Ok(found)
    });
    document.map_err(|error| error.to_string())
}

/// Reads one value, with so many levels left below it.
#[derive(Clone, Copy)]
struct Level(u8);

impl Level {
    fn below<E: Error>(self) -> Result<Self, E> {
        self.0.checked_sub(1).map(Self).ok_or_else(|| E::custom("nested too deeply"))
    }
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Document;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Document, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Document;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Document, E> {
        Ok(Document::Null)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Document, E> {
        Ok(Document::Other("bool"))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Document, E> {
        Ok(Document::Other("int"))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Document, E> {
        Ok(Document::Other("int"))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Document, E> {
        Ok(Document::Other("float"))
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Document, E> {
        Ok(Document::Other("str"))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Document, A::Error> {
        let below = self.below()?;
        while list.next_element_seed(below)?.is_some() {}
        Ok(Document::Other("list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Document, A::Error> {
        let below = self.below()?;
        let mut seen = HashSet::new();
        let mut members = Vec::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("duplicate key"));
            }
            if members.len() == MOST_MEMBERS {
                return Err(A::Error::custom(format_args!("more than {MOST_MEMBERS} members")));
            }
            members.push((key, map.next_value_seed(Member(below))?));
        }
        Ok(Document::Object(members))
    }
}

/// Reads a member of an object, keeping text and numbers.
struct Member(Level);

impl<'de> DeserializeSeed<'de> for Member {
    type Value = Entry;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Entry, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Member {
    type Value = Entry;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Entry, E> {
        Ok(Entry::Null)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Entry, E> {
        Ok(Entry::Bool(flag))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Entry, E> {
        Ok(Entry::Text(number.to_string()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Entry, E> {
        Ok(Entry::Text(number.to_string()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Entry, E> {
        // `{:?}` keeps `1.0` apart from `1`, as the contract's framework does.
        Ok(Entry::Text(format!("{number:?}")))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Entry, E> {
        Ok(Entry::Text(text.to_owned()))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Entry, E> {
        Ok(Entry::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Entry, A::Error> {
        self.0.visit_seq(list).map(|_| Entry::Other("list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Entry, A::Error> {
        Ok(match self.0.visit_map(map)? {
            Document::Object(members) => Entry::Object(members),
            Document::Null => Entry::Null,
            Document::Other(kind) => Entry::Other(kind),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(body: &str) -> Option<Entry> {
        match read(body.as_bytes()).unwrap() {
            Document::Object(members) => members.into_iter().next().map(|(_, entry)| entry),
            _ => None,
        }
    }

    #[test]
    fn numbers_are_text_and_the_rest_is_not() {
        assert!(member(r#"{"a": 123456}"#) == Some(Entry::Text("123456".to_owned())));
        assert!(member(r#"{"a": -1.0}"#) == Some(Entry::Text("-1.0".to_owned())));
        assert!(member(r#"{"a": "x"}"#) == Some(Entry::Text("x".to_owned())));
        assert!(member(r#"{"a": null}"#) == Some(Entry::Null));
        assert!(member(r#"{"a": true}"#) == Some(Entry::Bool(true)));
        for other in ["[]", "[\"x\"]"] {
            let read = member(&format!("{{\"a\": {other}}}"));
            assert!(read == Some(Entry::Other("list")), "{other}");
        }
        let inner = vec![("b".to_owned(), Entry::Text("1".to_owned()))];
        assert!(member(r#"{"a": {"b": 1}}"#) == Some(Entry::Object(inner)));
    }

    #[test]
    fn other_bodies_have_the_names_of_the_contract() {
        for (body, name) in [
            ("[]", "list"),
            ("\"x\"", "str"),
            ("1", "int"),
            ("-1", "int"),
            ("1.5", "float"),
            ("true", "bool"),
        ] {
            assert!(matches!(read(body.as_bytes()), Ok(Document::Other(found)) if found == name));
        }
        assert!(matches!(read(b"null"), Ok(Document::Null)));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(deep(32).as_bytes()).is_ok());
        for body in [
            deep(33),
            deep(100_000),
            "{\"a\":".repeat(50_000),
            "{\"a\":1,\"a\":2}".to_owned(),
            "{\"a\":1,\"\\u0061\":2}".to_owned(),
            "{\"a\":{\"b\":1,\"b\":2}}".to_owned(),
            "{\"a\":\"\\ud800\"}".to_owned(),
            "{} {}".to_owned(),
            "{\"a\":NaN}".to_owned(),
            "{".to_owned(),
            "\u{feff}{}".to_owned(),
        ] {
            assert!(read(body.as_bytes()).is_err(), "{}", &body[..body.len().min(20)]);
        }
        assert!(read(b"{\"a\":\"\xff\"}").is_err());
    }
}
