//! `/cfg/accounts/*`: the paths a generated client calls, with its shapes, for what
//! `/api/auth/otp/*`, `/api/auth/token/refresh` and `/api/profile` do. Its client keeps tokens
//! itself, so no cookie counts here.

pub(crate) mod otp;
pub(crate) mod profile;
pub(crate) mod token;
