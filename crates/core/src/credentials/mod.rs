//! What proves who somebody is: passwords now, passkeys, TOTP and recovery codes later.
//!
//! Owns the table `passwords`.

pub mod password;
