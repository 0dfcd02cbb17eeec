//! The texts: our own, built in, each replaceable by a file of the same name.
//!
//! The engine is emptied of every function and filter: a template can print variables, include
//! and extend, nothing else (ASVS 1.3.2, 1.3.7). HTML is escaped by the name's ending, unknown
//! variables are an error, and every template is rendered once at start, so that a broken
//! override is found then and not when somebody waits for a mail.

use std::path::Path;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use super::Message;
use super::built_in::BUILT_IN;
use crate::error::InternalError;
use crate::settings::{MailSettings, Mistake};
use crate::time::{Timestamp, hours};

/// The texts of all messages, ours or the operator's.
pub struct Templates {
    engine: Environment<'static>,
    product: String,
}

/// A message in words.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// The longest subject; the line it stands on may have 998 characters (RFC 5322 §2.1.1).
const LONGEST_SUBJECT: usize = 200;
/// The largest file taken as a template.
const LARGEST_FILE: u64 = 256 * 1_024;

impl Templates {
    /// Takes our texts and the overrides of the configured folder, and tries them all.
    pub fn load(settings: &MailSettings) -> Result<Self, Vec<Mistake>> {
        let mut engine = empty_engine();
        let mut mistakes = Vec::new();
        for (name, ours) in BUILT_IN {
            let added = match overriding(settings.templates.as_deref(), name) {
                Ok(Some(theirs)) => engine.add_template_owned(name, theirs),
                Ok(None) => engine.add_template(name, ours),
                Err(sentence) => {
                    mistakes.push(mistake(sentence));
                    engine.add_template(name, ours)
                }
            };
            if let Err(error) = added {
                mistakes.push(mistake(format!("{name} is not a template: {error}")));
            }
        }
        mistakes.extend(settings.templates.as_deref().map(strangers).unwrap_or_default());
        let templates = Self { engine, product: settings.product.clone() };
        if mistakes.is_empty() {
            mistakes = templates.trial();
        }
        if mistakes.is_empty() { Ok(templates) } else { Err(mistakes) }
    }

    /// Puts a message into words.
    pub(super) fn render(&self, template: &str, variables: Value) -> Result<Words, InternalError> {
        // A subject sees no variable of the message, so that no token can stand in it: subjects
        // are shown on locked screens and kept in logs of mail servers.
        let subject =
            self.part(template, "subject", &minijinja::context! { product => self.product })?;
        let subject = subject.trim().to_owned();
        if subject.is_empty()
            || subject.len() > LONGEST_SUBJECT
            || subject.contains(char::is_control)
        {
            return Err(InternalError::fault(format_args!(
                "{template}.subject must be one line of at most {LONGEST_SUBJECT} bytes"
            )));
        }
        let mut context = variables;
        if let Some(context) = context.as_object_mut() {
            context.insert("product".to_owned(), self.product.clone().into());
            context.insert("subject".to_owned(), subject.clone().into());
        }
        Ok(Words {
            subject,
            text: self.part(template, "txt", &context)?,
            html: self.part(template, "html", &context)?,
        })
    }

    fn part(
        &self,
        template: &str,
        ending: &str,
        context: &impl serde::Serialize,
    ) -> Result<String, InternalError> {
        let name = format!("{template}.{ending}");
        self.engine
            .get_template(&name)
            .and_then(|template| template.render(context))
            .map_err(|error| InternalError::fault(format_args!("{name}: {error}")))
    }

    /// Renders every template once and names what is wrong.
    fn trial(&self) -> Vec<Mistake> {
        let now = Timestamp::from_micros(0);
        let mut mistakes = Vec::new();
        for sample in Message::samples() {
            let name = sample.template();
            let variables = sample.variables(now, now.plus(hours(1)));
            let link = variables.get("link").and_then(Value::as_str).map(str::to_owned);
            match self.render(name, variables) {
                Err(error) => mistakes.push(mistake(error.to_string())),
                Ok(words) => {
                    let Some(link) = link else { continue };
                    if !words.text.contains(&link) {
                        mistakes.push(mistake(format!("{name}.txt must contain {{{{ link }}}}")));
                    }
                    if !words.html.contains(&escaped(&link)) {
                        mistakes.push(mistake(format!("{name}.html must contain {{{{ link }}}}")));
                    }
                }
            }
        }
        mistakes
    }
}

/// An engine that can print, include and extend. An empty one escapes nothing, so escaping is
/// switched on here.
fn empty_engine() -> Environment<'static> {
    let mut engine = Environment::empty();
    engine.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "html")) => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    engine.set_formatter(|out, state, value| match state.auto_escape() {
        AutoEscape::Html if !value.is_safe() && !value.is_undefined() => {
            out.write_str(&escaped(&value.to_string())).map_err(Into::into)
        }
        _ => escape_formatter(out, state, value),
    });
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_recursion_limit(16);
    engine
}

/// Text as it may stand in HTML, attributes in quotes included. Slashes stay, so that a link
/// reads the same in the source.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

/// The operator's text for a name, if there is one.
fn overriding(folder: Option<&Path>, name: &str) -> Result<Option<String>, String> {
    let Some(path) = folder.map(|folder| folder.join(name)) else { return Ok(None) };
    let size = match std::fs::metadata(&path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{name} cannot be read: {error}")),
    };
    if size > LARGEST_FILE {
        return Err(format!("{name} is larger than {LARGEST_FILE} bytes"));
    }
    std::fs::read_to_string(&path)
        .map(Some)
        .map_err(|error| format!("{name} cannot be read: {error}"))
}

/// Files of the folder that look like templates and replace nothing: mostly misspelt names.
fn strangers(folder: &Path) -> Vec<Mistake> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![mistake(format!("the folder cannot be read: {error}"))],
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            matches!(ending, "subject" | "txt" | "html")
                && !BUILT_IN.iter().any(|(known, _)| known == name)
        })
        .map(|name| mistake(format!("{name} replaces nothing; no mail has a part of this name")))
        .collect()
}

const fn mistake(sentence: String) -> Mistake {
    Mistake { key: "mail.templates", sentence }
}
