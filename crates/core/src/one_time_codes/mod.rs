//! One-time codes: the short secrets we send by e-mail or SMS, and the links in mails.
//!
//! A code belongs to one purpose, one target and one flow. It works once, for a short time,
//! with few attempts. Only its keyed digest is stored.
//!
//! Owns the table `one_time_codes`. Used by `sign_in` and `accounts`.
