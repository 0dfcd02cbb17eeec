//! The values of a body, read one by one; what is wrong with each is collected, so that one
//! answer names every mistake in the order in which the handler asked.

use std::borrow::Cow;

use ironlatch_core::accounts::{
    Email, EmailProblem, Phone, PhoneProblem, Username, UsernameProblem,
};
use ironlatch_core::credentials::password::PasswordProblem;
use ironlatch_core::ports::Token;
use ironlatch_core::profiles::{
    FullName, LARGEST_FILE, LONGEST_SIDE, PictureProblem, ValueProblem,
};
use ironlatch_core::sign_in::SecondFactor;

use super::json::Entry;
use crate::problem::{FieldErrors, Problem};

/// A body's values and the mistakes found so far.
pub(crate) struct Fields {
    members: Vec<(String, Entry)>,
    asked: Vec<&'static str>,
    mistakes: FieldErrors,
    body_was_empty: bool,
}

impl Fields {
    pub(crate) const fn new(members: Vec<(String, Entry)>) -> Self {
        Self { members, asked: Vec::new(), mistakes: FieldErrors::new(), body_was_empty: false }
    }

    /// What a request without a body says.
    pub(crate) const fn empty() -> Self {
        Self {
            members: Vec::new(),
            asked: Vec::new(),
            mistakes: FieldErrors::new(),
            body_was_empty: true,
        }
    }

    /// Whether there was no body at all, as opposed to one without values.
    pub(crate) const fn body_was_empty(&self) -> bool {
        self.body_was_empty
    }

    /// Whether a field is there, with whatever value.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(key, _)| key == name)
    }

    /// Whether a field is missing, `null` or empty.
    pub(crate) fn is_empty(&self, name: &str) -> bool {
        let entry = self.members.iter().find(|(key, _)| key == name).map(|(_, entry)| entry);
        match entry {
            None | Some(Entry::Null) => true,
            Some(Entry::Text(text)) => text.is_empty(),
            Some(Entry::Bool(_) | Entry::Object(_) | Entry::Other(_)) => false,
        }
    }

    /// A text without its outer blanks.
    pub(crate) fn text(&mut self, name: &'static str) -> Option<String> {
        let text = self.raw(name)?;
        let text = text.trim();
        if text.is_empty() {
            return self.refuse(name, "This field may not be blank.");
        }
        if text.contains('\0') {
            return self.refuse(name, "Null characters are not allowed.");
        }
        Some(text.to_owned())
    }

    /// A whole name.
    pub(crate) fn full_name(&mut self, name: &'static str) -> Option<FullName> {
        let text = self.text(name)?;
        FullName::parse(&text).map_err(|problem| self.mistake(name, value_sentence(problem))).ok()
    }

    /// Something told about oneself: it may be missing, and blank where `parse` takes it.
    pub(crate) fn told<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, ValueProblem>,
    ) -> Option<T> {
        if !self.has(name) {
            self.asked.push(name);
            return None;
        }
        let text = self.raw(name)?;
        parse(&text).map_err(|problem| self.mistake(name, value_sentence(problem))).ok()
    }

    /// The same where `null` and a blank take back what was told.
    #[expect(clippy::option_option, reason = "outside: whether it is told; inside: what")]
    pub(crate) fn told_or_taken_back<T>(
        &mut self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, ValueProblem>,
    ) -> Option<Option<T>> {
        let entry = self.members.iter().find(|(key, _)| key == name).map(|(_, entry)| entry);
        let is_taken_back = match entry {
            Some(Entry::Null) => true,
            Some(Entry::Text(text)) => text.trim().is_empty(),
            _ => false,
        };
        if is_taken_back {
            self.asked.push(name);
            return Some(None);
        }
        self.told(name, parse).map(Some)
    }

    /// A secret exactly as it came: blanks belong to passwords (NIST SP 800-63B-4 §3.1.1.2).
    pub(crate) fn secret(&mut self, name: &'static str) -> Option<Token> {
        let secret = Token::new(self.raw(name)?);
        if secret.reveal().is_empty() {
            return self.refuse(name, "This field may not be blank.");
        }
        if secret.reveal().contains('\0') {
            return self.refuse(name, "Null characters are not allowed.");
        }
        Some(secret)
    }

    /// A secret that may be left out: the core says where it is needed.
    #[expect(clippy::option_option, reason = "outside: whether it can stand; inside: the secret")]
    pub(crate) fn secret_or_none(&mut self, name: &'static str) -> Option<Option<Token>> {
        if self.has(name) {
            return self.secret(name).map(Some);
        }
        self.asked.push(name);
        Some(None)
    }

    /// A secret that may be missing or blank, which says nothing.
    pub(crate) fn secret_or_blank(&mut self, name: &'static str) -> Option<Token> {
        if !self.has(name) {
            self.asked.push(name);
            return None;
        }
        let secret = Token::new(self.raw(name)?.trim().to_owned());
        if secret.reveal().contains('\0') {
            return self.refuse(name, "Null characters are not allowed.");
        }
        (!secret.reveal().is_empty()).then_some(secret)
    }

    /// One line of text that may be missing, and may be blank.
    pub(crate) fn line_or_none(&mut self, name: &'static str, longest: usize) -> Option<String> {
        if !self.has(name) {
            self.asked.push(name);
            return None;
        }
        let line = self.raw(name)?.trim().to_owned();
        if line.contains(char::is_control) {
            return self.refuse(name, "Control characters are not allowed.");
        }
        if line.chars().count() > longest {
            let sentence = format!("Ensure this field has no more than {longest} characters.");
            self.mistake(name, sentence);
            return None;
        }
        Some(line)
    }

    /// A truth value that may be missing; forms and queries spell it.
    pub(crate) fn flag_or_none(&mut self, name: &'static str) -> Option<bool> {
        self.asked.push(name);
        let (_, entry) = self.members.iter().find(|(key, _)| key == name)?;
        match entry {
            Entry::Bool(flag) => Some(*flag),
            Entry::Text(text) if ["true", "1"].contains(&text.as_str()) => Some(true),
            Entry::Text(text) if ["false", "0"].contains(&text.as_str()) => Some(false),
            Entry::Text(_) | Entry::Null | Entry::Object(_) | Entry::Other(_) => {
                self.refuse(name, "Must be a valid boolean.")
            }
        }
    }

    /// An e-mail address.
    pub(crate) fn email(&mut self, name: &'static str) -> Option<Email> {
        let text = self.text(name)?;
        Email::parse(&text).map_or_else(|problem| self.refuse(name, email_sentence(problem)), Some)
    }

    /// A phone number.
    pub(crate) fn phone(&mut self, name: &'static str) -> Option<Phone> {
        let text = self.text(name)?;
        Phone::parse(&text).map_or_else(|problem| self.refuse(name, phone_sentence(problem)), Some)
    }

    /// A user name.
    pub(crate) fn username(&mut self, name: &'static str) -> Option<Username> {
        let text = self.text(name)?;
        Username::parse(&text)
            .map_or_else(|problem| self.refuse(name, username_sentence(problem)), Some)
    }

    /// A text that may be missing, as it came; anything but a text is as good as none.
    pub(crate) fn optional_text(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        self.members.iter().find(|(key, _)| key == name).and_then(|(_, entry)| match entry {
            Entry::Text(text) => Some(text.clone()),
            Entry::Null | Entry::Bool(_) | Entry::Object(_) | Entry::Other(_) => None,
        })
    }

    /// The values of an inner object; one that is missing has none.
    pub(crate) fn inner(&mut self, name: &'static str) -> Result<Self, Problem> {
        self.asked.push(name);
        let entry = self.members.iter_mut().find(|(key, _)| key == name).map(|(_, entry)| entry);
        match entry.map(|entry| std::mem::replace(entry, Entry::Null)) {
            None => Ok(Self::new(Vec::new())),
            Some(Entry::Object(members)) => Ok(Self::new(members)),
            Some(Entry::Null) => Err(Problem::NoData),
            Some(Entry::Text(_)) => Err(Problem::NotADictionary("str")),
            Some(Entry::Bool(_)) => Err(Problem::NotADictionary("bool")),
            Some(Entry::Other(kind)) => Err(Problem::NotADictionary(kind)),
        }
    }

    /// What a second step is proven with, by its word.
    pub(crate) fn second_factor(&mut self, name: &'static str) -> Option<SecondFactor> {
        let text = self.text(name)?;
        let found = SecondFactor::ALL.into_iter().find(|factor| factor.word() == text);
        found.or_else(|| self.refuse(name, "Choose \"totp\" or \"recovery_code\"."))
    }

    /// Notes a mistake that somebody else found.
    pub(crate) fn mistake(&mut self, name: &'static str, sentence: impl Into<Cow<'static, str>>) {
        self.mistakes.add(name, sentence.into());
    }

    /// Refuses fields that nobody asked for: on our own paths a misspelt field must not be
    /// silently dropped. Contract paths never call it (and never bind such fields).
    pub(crate) fn refuse_unknown(&mut self) {
        for (name, _) in &self.members {
            if !self.asked.contains(&name.as_str()) {
                self.mistakes.add(name.clone(), "Unknown field.".into());
            }
        }
    }

    /// Refuses whatever came along where nothing is asked for.
    pub(crate) fn expect_none(mut self) -> Result<(), Problem> {
        self.refuse_unknown();
        self.finish(Some(()))
    }

    /// The values if nothing was wrong, else every mistake.
    pub(crate) fn finish<T>(self, values: Option<T>) -> Result<T, Problem> {
        match values {
            Some(values) if self.mistakes.is_empty() => Ok(values),
            _ => Err(Problem::Fields(self.mistakes)),
        }
    }

    fn raw(&mut self, name: &'static str) -> Option<String> {
        self.asked.push(name);
        let entry = self.members.iter_mut().find(|(key, _)| key == name).map(|(_, entry)| entry);
        match entry.map(|entry| std::mem::replace(entry, Entry::Null)) {
            None => self.refuse(name, "This field is required."),
            Some(Entry::Null) => self.refuse(name, "This field may not be null."),
            Some(Entry::Bool(_) | Entry::Object(_) | Entry::Other(_)) => {
                self.refuse(name, "Not a valid string.")
            }
            Some(Entry::Text(text)) => Some(text),
        }
    }

    fn refuse<T>(&mut self, name: &'static str, sentence: &'static str) -> Option<T> {
        self.mistake(name, sentence);
        None
    }
}

/// The contract's sentence about an address.
fn email_sentence(problem: EmailProblem) -> &'static str {
    match problem {
        EmailProblem::Malformed => "Enter a valid email address.",
        EmailProblem::TooLong => "Ensure this field has no more than 254 characters.",
        EmailProblem::Nowhere => "Enter an email address that can receive mail.",
    }
}

/// What is wrong with a number.
fn phone_sentence(problem: PhoneProblem) -> &'static str {
    match problem {
        PhoneProblem::Malformed => "Enter a phone number with its country code.",
        PhoneProblem::TooShort => "Ensure this number has at least 10 digits.",
        PhoneProblem::TooLong => "Ensure this number has no more than 15 digits.",
    }
}

/// The contract's sentence about a user name.
fn username_sentence(problem: UsernameProblem) -> &'static str {
    match problem {
        UsernameProblem::Malformed => {
            "Enter a valid username. This value may contain only letters, numbers, and \
             @/./+/-/_ characters."
        }
        UsernameProblem::TooLong => "Ensure this field has no more than 150 characters.",
    }
}

/// What is wrong with something told about oneself.
pub(crate) fn value_sentence(problem: ValueProblem) -> Cow<'static, str> {
    match problem {
        ValueProblem::TooLong { most } => {
            format!("Ensure this field has no more than {most} characters.").into()
        }
        ValueProblem::Unprintable => "Control characters are not allowed.".into(),
        ValueProblem::NotAPhone => "Please enter a valid phone number.".into(),
        ValueProblem::NotADate => {
            "Date has wrong format. Use one of these formats instead: YYYY-MM-DD.".into()
        }
        ValueProblem::InTheFuture => "The date of birth cannot be in the future.".into(),
    }
}

/// What is wrong with a file that was to be a picture; the contract's framework says the first
/// and the third.
pub(crate) fn picture_sentence(problem: PictureProblem) -> Cow<'static, str> {
    match problem {
        PictureProblem::Empty => "The submitted file is empty.".into(),
        PictureProblem::TooLarge => {
            format!("Ensure this file has no more than {} MiB.", LARGEST_FILE >> 20).into()
        }
        PictureProblem::NotAPicture => "Upload a valid image. The file you uploaded was either \
                                        not an image or a corrupted image."
            .into(),
        PictureProblem::TooManyPixels => {
            format!("Ensure this picture has at most {LONGEST_SIDE} x {LONGEST_SIDE} pixels.")
                .into()
        }
    }
}

/// What is wrong with a new password, for the API and the pages.
pub(crate) fn password_sentence(problem: PasswordProblem) -> Cow<'static, str> {
    match problem {
        PasswordProblem::TooShort { least } => {
            format!("Ensure this field has at least {least} characters.").into()
        }
        PasswordProblem::TooLong => "Ensure this field has no more than 256 characters.".into(),
        PasswordProblem::TooCommon => "This password is too common.".into(),
        PasswordProblem::AboutYou => {
            "The password must not be your own name or e-mail address.".into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(members: &[(&str, Entry)]) -> Fields {
        Fields::new(
            members.iter().map(|(name, entry)| ((*name).to_owned(), entry.clone())).collect(),
        )
    }

    fn sentence(entry: Option<Entry>) -> Option<String> {
        let members = entry.map(|entry| ("name", entry));
        let mut fields = fields(members.as_slice());
        let value = fields.text("name");
        match fields.finish(value) {
            Ok(_) => None,
            Err(Problem::Fields(errors)) => Some(serde_json::to_string(&errors).unwrap()),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_mistake_has_the_sentence_of_the_contract() {
        let text = |text: &str| Some(Entry::Text(text.to_owned()));
        for (entry, said) in [
            (None, "This field is required."),
            (Some(Entry::Null), "This field may not be null."),
            (Some(Entry::Other("list")), "Not a valid string."),
            (Some(Entry::Object(Vec::new())), "Not a valid string."),
            (text(""), "This field may not be blank."),
            (text("  "), "This field may not be blank."),
            (text("a\0b"), "Null characters are not allowed."),
        ] {
            assert_eq!(sentence(entry), Some(format!("{{\"name\":[\"{said}\"]}}")));
        }
        assert_eq!(sentence(text("a")), None);
    }

    #[test]
    fn mistakes_come_in_the_order_of_asking_and_unknown_fields_last() {
        let mut fields =
            fields(&[("role", Entry::Text("admin".to_owned())), ("email", Entry::Null)]);
        let values = fields.username("username").zip(fields.email("email"));
        fields.refuse_unknown();
        let Err(Problem::Fields(errors)) = fields.finish(values) else { panic!("accepted") };
        assert_eq!(
            serde_json::to_string(&errors).unwrap(),
            "{\"username\":[\"This field is required.\"],\"email\":[\"This field may not be null.\"],\
             \"role\":[\"Unknown field.\"]}"
        );
    }

    #[test]
    fn secrets_keep_their_blanks() {
        let mut fields = fields(&[("password", Entry::Text("  two words ".to_owned()))]);
        assert_eq!(fields.secret("password").unwrap().reveal(), "  two words ");
    }
}
