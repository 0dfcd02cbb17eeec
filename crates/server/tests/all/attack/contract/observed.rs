//! Reading observed exchanges, and answers of ours in the same form.

use std::collections::BTreeMap;

use super::super::http::Answer;

/// One answer, with whatever varies from run to run replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) name: String,
    pub(super) status: u16,
    pub(super) body: String,
    headers: BTreeMap<String, String>,
    cookies: Vec<String>,
}

/// The headers that the contract names.
const NAMED: [&str; 6] =
    ["allow", "content-type", "vary", "www-authenticate", "location", "retry-after"];

impl Exchange {
    /// The parts in which two differ.
    pub(super) fn differing(&self, other: &Self) -> Vec<&'static str> {
        let parts = ["status", "body", "cookies"].into_iter().chain(NAMED);
        parts.filter(|part| !self.agrees(other, part)).collect()
    }

    fn agrees(&self, other: &Self, part: &str) -> bool {
        if part == "vary" {
            // More may be named than the original did.
            let names = |it: &Self| -> Vec<String> {
                it.part(part).split(',').map(|name| name.trim().to_ascii_lowercase()).collect()
            };
            let found = names(other);
            return names(self).iter().all(|name| found.contains(name));
        }
        self.part(part) == other.part(part)
    }

    pub(super) fn part(&self, part: &str) -> String {
        match part {
            "status" => self.status.to_string(),
            "body" => self.body.clone(),
            "cookies" => self.cookies.join(" | "),
            header => self.headers.get(header).cloned().unwrap_or_default(),
        }
    }

    /// Whether the answer has this status, body or piece of a cookie.
    pub(super) fn shows(&self, wanted: &str) -> bool {
        let whole = format!("{} {} {}", self.status, self.body, self.part("cookies"));
        whole.contains(wanted)
    }
}

/// Takes a file of observations apart.
pub(super) fn read(file: &str) -> Vec<Exchange> {
    let blocks = file.split("## ").skip(1);
    blocks.map(block).collect()
}

fn block(text: &str) -> Exchange {
    let (name, rest) = text.split_once('\n').unwrap();
    let (answer, headers) = rest.split_once("\n    {'").unwrap();
    let (status, body) = answer.trim_start().split_once(' ').unwrap();
    let mut lines = headers.lines();
    let dictionary = lines.next().unwrap().trim_end_matches("'}");
    let pairs = dictionary.split("', '").filter_map(|pair| pair.split_once("': '"));
    let headers = pairs.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let cookies = lines.filter_map(|line| line.trim().strip_prefix("Set-Cookie: "));
    Exchange {
        name: name.to_owned(),
        status: status.trim().parse().unwrap(),
        body: normal(body.trim()),
        headers: headers.collect(),
        cookies: cookies.map(normal_cookie).collect(),
    }
}

/// An answer of ours in the form of an observation.
pub(super) fn of_answer(name: &str, answer: &Answer) -> Exchange {
    let named = answer.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    Exchange {
        name: name.to_owned(),
        status: answer.status,
        body: normal(answer.text().trim()),
        headers: named
            .filter(|(name, _)| NAMED.contains(&name.as_str()))
            .map(|(name, value)| (name, value.clone()))
            .collect(),
        cookies: answer.set_cookies().into_iter().map(normal_cookie).collect(),
    }
}

/// Replaces tokens, identifiers and numbers, and keeps the order of keys.
fn normal(body: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(body) else {
        return body.to_owned();
    };
    normal_value(&mut value);
    value.to_string()
}

fn normal_value(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) if is_token(text) => "<JWT>".clone_into(text),
        serde_json::Value::String(text) if text.starts_with("data:image/png;base64,") => {
            "data:image/png;base64,<PNG>".clone_into(text);
        }
        serde_json::Value::String(text) if text.parse::<uuid::Uuid>().is_ok() => {
            "<uuid>".clone_into(text);
        }
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                if key == "id" && member.is_i64() {
                    *member = 1.into();
                }
                normal_value(member);
            }
        }
        serde_json::Value::Array(each) => each.iter_mut().for_each(normal_value),
        _ => {}
    }
}

fn is_token(text: &str) -> bool {
    text.starts_with("eyJ") && text.matches('.').count() == 2
}

/// A `Set-Cookie` line without the value and the date, its attributes in order.
fn normal_cookie(line: &str) -> String {
    let mut parts = line.split("; ");
    let pair = parts.next().unwrap_or_default();
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let value = match value {
        "" | "\"\"" => value.to_owned(),
        token if is_token(token) => "<JWT>".to_owned(),
        _ => "<secret>".to_owned(),
    };
    let attributes = parts.map(|part| match part.split_once('=') {
        Some(("expires", date)) if !date.contains("1970") => "expires=<date>".to_owned(),
        _ => part.to_owned(),
    });
    let attributes: Vec<String> = attributes.collect();
    format!("{name}={value}; {}", attributes.join("; "))
}
