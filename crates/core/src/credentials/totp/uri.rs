//! The `otpauth` URI that authenticator apps read ("Key Uri Format").

use std::fmt::Write as _;

use crate::ports::Token;

/// The URI of a secret: the issuer as a prefix of the label and as a parameter of its own.
/// Algorithm, digits and period are every app's defaults and stay unsaid: some apps stumble
/// over them.
pub(super) fn otpauth(issuer: &str, label: &str, secret: &Token) -> Token {
    let (issuer, label, secret) = (escaped(issuer), escaped(label), secret.reveal());
    Token::new(format!("otpauth://totp/{issuer}:{label}?secret={secret}&issuer={issuer}"))
}

/// Percent-encodes all but unreserved characters (RFC 3986 §2.3), so that no name can end the
/// label or add a parameter.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 3);
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                out.push(char::from(byte));
            }
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(issuer: &str, label: &str) -> String {
        otpauth(issuer, label, &Token::new("JBSWY3DP".to_owned())).reveal().to_owned()
    }

    #[test]
    fn it_is_the_one_of_the_contract() {
        assert_eq!(
            uri("AI-Marketer", "ada@example.com"),
            "otpauth://totp/AI-Marketer:ada%40example.com?secret=JBSWY3DP&issuer=AI-Marketer"
        );
    }

    #[test]
    fn no_name_leaves_its_place() {
        assert_eq!(
            uri("A: B&C", "x?secret=y#z/ü+"),
            "otpauth://totp/A%3A%20B%26C:x%3Fsecret%3Dy%23z%2F%C3%BC%2B\
             ?secret=JBSWY3DP&issuer=A%3A%20B%26C"
        );
    }
}
