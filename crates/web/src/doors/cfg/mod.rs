//! `/cfg/accounts/*`: the paths a generated client calls, with its shapes, for what
//! `/api/auth/otp/*`, `/api/auth/token/refresh` and `/api/profile` do.
