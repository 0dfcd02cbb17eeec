//! What proves who somebody is: passwords, authenticator apps and recovery codes.
//!
//! Owns the tables `passwords`, `totp_credentials` and `recovery_codes`.

pub mod password;
pub mod recovery_codes;
pub mod totp;
