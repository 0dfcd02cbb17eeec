//! What an operator writes for a gateway: text with `{to}`, `{digits}`, `{text}`, `{id}`,
//! `{seconds}` and `{token}` in it.
//!
//! It is taken apart once, at start. An SMS fills the gaps and is itself never taken apart, so
//! a text that holds `{token}` shows nobody the token (attack B16).

use crate::ports::{Sms, Token};

/// A text with gaps.
pub(super) struct Field(Vec<Piece>);

enum Piece {
    Words(String),
    Gap(Gap),
}

/// What an SMS fills in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// The number with its `+`.
    To,
    /// The number without.
    Digits,
    /// What the recipient reads.
    Text,
    /// The same at every try, for gateways that tell repetitions apart.
    Id,
    /// How long it is of use, for gateways that drop what is late.
    Seconds,
    /// The operator's secret.
    Token,
}

impl Gap {
    const ALL: [(&'static str, Self); 6] = [
        ("to", Self::To),
        ("digits", Self::Digits),
        ("text", Self::Text),
        ("id", Self::Id),
        ("seconds", Self::Seconds),
        ("token", Self::Token),
    ];
}

impl Field {
    /// Takes a text apart; names a gap that is none of ours.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((words, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').unwrap_or((after, ""));
            let known = Gap::ALL.iter().find(|(known, _)| *known == name);
            let Some((_, gap)) = known else {
                return Err(format!(
                    "{{{name}}} is none of {{to}}, {{digits}}, {{text}}, {{id}}, {{seconds}}, \
                     {{token}}"
                ));
            };
            pieces.extend([Piece::Words(words.to_owned()), Piece::Gap(*gap)]);
            rest = after;
        }
        pieces.push(Piece::Words(rest.to_owned()));
        Ok(Self(pieces))
    }

    /// A bearer token.
    pub(super) fn bearer() -> Self {
        Self(vec![Piece::Words("Bearer ".to_owned()), Piece::Gap(Gap::Token)])
    }

    /// Whether it has this gap.
    pub(super) fn has(&self, gap: Gap) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Gap(found) if *found == gap))
    }

    /// The text for one SMS.
    pub(super) fn fill(&self, sms: &Sms, token: Option<&Token>) -> String {
        let mut text = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Words(words) => text.push_str(words),
                Piece::Gap(Gap::To) => text.push_str(&sms.to),
                Piece::Gap(Gap::Digits) => text.push_str(sms.to.trim_start_matches('+')),
                Piece::Gap(Gap::Text) => text.push_str(&sms.text),
                Piece::Gap(Gap::Id) => text.push_str(&sms.id.to_string()),
                Piece::Gap(Gap::Seconds) => text.push_str(&sms.valid_for.as_secs().to_string()),
                Piece::Gap(Gap::Token) => text.push_str(token.map_or("", Token::reveal)),
            }
        }
        text
    }
}
