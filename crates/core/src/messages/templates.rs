//! The texts: our own, built in, each replaceable by a file of the same name.
//!
//! The engine is emptied of every function and filter: a template can print variables, include
//! and extend, nothing else (ASVS 1.3.2, 1.3.7). HTML is escaped by the name's ending, unknown
//! variables are an error, and every template is rendered once at start, so that a broken
//! override is found then and not when somebody waits for a mail.

use std::borrow::Cow;
use std::path::Path;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, escape_formatter};
use serde_json::Value;

use super::Message;
use super::built_in::{MAIL, SMS};
use crate::error::InternalError;
use crate::settings::{MailSettings, Mistake, SmsSettings};
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

/// What one SMS takes in the alphabet of most languages of the west (3GPP TS 23.038). A longer
/// text would be sent, and paid for, in several parts, and the budget counts messages.
const LONGEST_SMS: usize = 160;
/// The longest subject; the line it stands on may have 998 characters (RFC 5322 §2.1.1).
const LONGEST_SUBJECT: usize = 200;
/// The largest file taken as a template.
const LARGEST_FILE: u64 = 256 * 1_024;

impl Templates {
    /// Takes our texts and the overrides of the configured folder, and tries them all.
    pub fn load(mail: &MailSettings, sms: &SmsSettings) -> Result<Self, Vec<Mistake>> {
        let mut engine = empty_engine();
        let mut mistakes = add(&mut engine, &MAIL, mail.templates.as_deref(), "mail.templates");
        mistakes.extend(add(&mut engine, &SMS, sms.templates.as_deref(), "sms.templates"));
        let templates = Self { engine, product: mail.product.clone() };
        if mistakes.is_empty() {
            mistakes = templates.trial();
        }
        if mistakes.is_empty() { Ok(templates) } else { Err(mistakes) }
    }

    /// Whether a message has a text for SMS.
    pub(super) fn has_sms(&self, template: &str) -> bool {
        self.engine.get_template(&sms_name(template)).is_ok()
    }

    /// Whether a message has a text for mail; some are for SMS alone.
    fn has_mail(&self, template: &str) -> bool {
        self.engine.get_template(&format!("{template}.txt")).is_ok()
    }

    /// Puts a message into the words of an SMS.
    pub(super) fn render_sms(
        &self,
        template: &str,
        mut variables: Value,
    ) -> Result<String, InternalError> {
        if let Some(context) = variables.as_object_mut() {
            context.insert("product".to_owned(), self.product.clone().into());
        }
        let name = sms_name(template);
        let text = self.part(&name, &variables)?.trim().to_owned();
        let is_plain = text.chars().all(|c| c == '\n' || !c.is_control());
        if text.is_empty() || text.chars().count() > LONGEST_SMS || !is_plain {
            return Err(InternalError::fault(format_args!(
                "{name} must be text of at most {LONGEST_SMS} characters"
            )));
        }
        Ok(text)
    }

    /// Puts a message into words.
    pub(super) fn render(&self, template: &str, variables: Value) -> Result<Words, InternalError> {
        // A subject sees no variable of the message, so that no token can stand in it: subjects
        // are shown on locked screens and kept in logs of mail servers.
        let subject = self.part(
            &format!("{template}.subject"),
            &minijinja::context! { product => self.product },
        )?;
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
            text: self.part(&format!("{template}.txt"), &context)?,
            html: self.part(&format!("{template}.html"), &context)?,
        })
    }

    fn part(&self, name: &str, context: &impl serde::Serialize) -> Result<String, InternalError> {
        self.engine
            .get_template(name)
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
            let value = |key| variables.get(key).and_then(Value::as_str).unwrap_or_default();
            let mut report =
                |key, sentence| mistakes.push(Mistake { key: Cow::Borrowed(key), sentence });
            match self.has_mail(name).then(|| self.render(name, variables.clone())) {
                None => {}
                Some(Err(error)) => report("mail.templates", error.to_string()),
                // Without these, a mail would be of no use.
                Some(Ok(words)) => ["link", "code"].into_iter().for_each(|key| {
                    if !words.text.contains(value(key)) {
                        let sentence = format!("{name}.txt must contain {{{{ {key} }}}}");
                        report("mail.templates", sentence);
                    }
                    if !words.html.contains(&escaped(value(key))) {
                        let sentence = format!("{name}.html must contain {{{{ {key} }}}}");
                        report("mail.templates", sentence);
                    }
                }),
            }
            if self.has_sms(name) {
                match self.render_sms(name, variables.clone()) {
                    Err(error) => report("sms.templates", error.to_string()),
                    Ok(text) if text.contains(value("code")) => {}
                    Ok(_) => {
                        report("sms.templates", format!("{name}.txt must contain {{{{ code }}}}"));
                    }
                }
            }
        }
        mistakes.dedup();
        mistakes
    }
}

/// The name of a message's text for SMS.
fn sms_name(template: &str) -> String {
    format!("sms/{template}.txt")
}

/// Takes our texts, and the operator's where the folder has a file of the name; answers what is
/// wrong with them.
fn add(
    engine: &mut Environment<'static>,
    built_in: &'static [(&'static str, &'static str)],
    folder: Option<&Path>,
    key: &'static str,
) -> Vec<Mistake> {
    let mut wrong = Vec::new();
    for (name, ours) in built_in {
        let added = match overriding(folder, file_of(name)) {
            Ok(Some(theirs)) => engine.add_template_owned(*name, theirs),
            Ok(None) => engine.add_template(name, ours),
            Err(sentence) => {
                wrong.push(sentence);
                engine.add_template(name, ours)
            }
        };
        if let Err(error) = added {
            wrong.push(format!("{name} is not a template: {error}"));
        }
    }
    wrong.extend(folder.map(|folder| strangers(folder, built_in)).unwrap_or_default());
    wrong.into_iter().map(|sentence| Mistake { key: key.into(), sentence }).collect()
}

/// The file that replaces a text.
fn file_of(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, file)| file)
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
fn strangers(folder: &Path, built_in: &[(&str, &str)]) -> Vec<String> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => return vec![format!("the folder cannot be read: {error}")],
    };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            matches!(ending, "subject" | "txt" | "html")
                && !built_in.iter().any(|(known, _)| file_of(known) == name)
        })
        .map(|name| format!("{name} replaces nothing; no message has a part of this name"))
        .collect()
}
