//! What differs from door to door.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{RESET_LIFETIME, Settings, VERIFICATION_LIFETIME};
use crate::time::{hours, minutes};

/// The ways clients speak to us: our own API, and translations of other systems' contracts.
/// Each decides lifetimes, the front end that mails link to, and the role of new accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Door {
    /// `/api/auth/*` with addresses, names and passwords.
    Api,
    /// `/api/auth/otp/*`: codes by mail and SMS.
    Codes,
    /// `/api/users/*`.
    Users,
    /// `/users/*`, alias `/user/*`.
    OtpSession,
    /// `/accounts/*`.
    Accounts,
    /// `/cfg/accounts/*`.
    Cfg,
}

impl Door {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Api, Self::Codes, Self::Users, Self::OtpSession, Self::Accounts, Self::Cfg];

    /// The stored word; stable over releases.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Codes => "codes",
            Self::Users => "users",
            Self::OtpSession => "otp_session",
            Self::Accounts => "accounts",
            Self::Cfg => "cfg",
        }
    }

    /// Whether its clients can ask for the second step of a sign-in; elsewhere a sign-in with one
    /// ends, and its owner is told.
    #[must_use]
    pub const fn has_second_step(self) -> bool {
        match self {
            Self::Api | Self::Codes | Self::Users | Self::Cfg => true,
            Self::OtpSession | Self::Accounts => false,
        }
    }

    /// The door of a stored word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|door| door.word() == word)
    }
}

/// `[doors]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorsSettings {
    /// Whether the answer to a sign-in on `users` holds a refresh token as well. Scripts of the
    /// front end can read it; its cookie they cannot.
    pub users_refresh_in_body: bool,
    /// Our own API (codes included), which is always open.
    pub api: DoorSettings,
    /// `/api/users/*`, `/api/health/`, `/api/dashboard/`.
    pub users: DoorSettings,
    /// `/users/*` and `/user/*`.
    pub otp_session: DoorSettings,
    /// `/accounts/*`.
    pub accounts: DoorSettings,
    /// `/cfg/accounts/*`.
    pub cfg: DoorSettings,
}

/// `[doors.<name>]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorSettings {
    /// Whether its paths are answered; our own API always is.
    pub enabled: bool,
    /// The front end that its mails link to; our own pages where not given.
    pub frontend_url: Option<String>,
    /// The role of accounts made through it; `accounts.default_role` where not given.
    pub default_role: Option<String>,
}

impl Default for DoorsSettings {
    fn default() -> Self {
        Self {
            users_refresh_in_body: true,
            api: DoorSettings::default(),
            users: DoorSettings::default(),
            otp_session: DoorSettings::default(),
            accounts: DoorSettings::default(),
            cfg: DoorSettings::default(),
        }
    }
}

/// Lifetime of a verification link of a door: one contract's lives ten minutes.
#[must_use]
pub const fn verification_lifetime(door: Door) -> Duration {
    match door {
        Door::Accounts => minutes(10),
        Door::Api | Door::Codes | Door::Users | Door::OtpSession | Door::Cfg => {
            VERIFICATION_LIFETIME
        }
    }
}

/// Lifetime of a reset link of a door: one contract's mail promises a day.
#[must_use]
pub const fn reset_lifetime(door: Door) -> Duration {
    match door {
        Door::Users => hours(24),
        Door::Api | Door::Codes | Door::OtpSession | Door::Accounts | Door::Cfg => RESET_LIFETIME,
    }
}

impl Settings {
    /// What a door was told.
    #[must_use]
    pub const fn door(&self, door: Door) -> &DoorSettings {
        match door {
            Door::Api | Door::Codes => &self.doors.api,
            Door::Users => &self.doors.users,
            Door::OtpSession => &self.doors.otp_session,
            Door::Accounts => &self.doors.accounts,
            Door::Cfg => &self.doors.cfg,
        }
    }

    /// The base of links to pages in a door's mails: its front end's URL, else ours, without a
    /// slash at its end.
    #[must_use]
    pub fn pages_url(&self, door: Door) -> &str {
        let frontend = self.door(door).frontend_url.as_deref();
        frontend.unwrap_or(&self.public_url).trim_end_matches('/')
    }

    /// The role of accounts made through a door.
    #[must_use]
    pub fn default_role(&self, door: Door) -> &str {
        self.door(door).default_role.as_deref().unwrap_or(&self.accounts.default_role)
    }

    /// Whether password sign-in through a door waits for verification; the contract of
    /// `accounts` always does.
    #[must_use]
    pub const fn waits_for_verification(&self, door: Door) -> bool {
        matches!(door, Door::Accounts) || self.sign_up.neutral || self.sign_up.require_verified
    }

    /// Whether sign-up through a door tells that an address is taken: two contracts do.
    #[must_use]
    pub const fn reveals_taken(&self, door: Door) -> bool {
        matches!(door, Door::Api | Door::Users)
            && self.sign_up.reveal_taken
            && !self.sign_up.neutral
    }
}
