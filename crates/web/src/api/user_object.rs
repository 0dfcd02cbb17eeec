//! The whole user as one contract's clients know it, with what the profile adds.

use ironlatch_core::profiles::Profile;
use ironlatch_core::sessions::{Account, Present};
use serde::Serialize;

use super::answer::User;
use super::sessions::rfc_3339;
use crate::app::App;
use crate::problem::Problem;

/// In the contract's order of keys. Its clients check types: moments end in `Z`, absent texts
/// are empty, and only what may be `null` is.
#[derive(Serialize)]
pub(crate) struct UserObject {
    id: i64,
    email: String,
    first_name: String,
    last_name: String,
    full_name: String,
    initials: String,
    display_username: String,
    company: String,
    phone: String,
    position: String,
    avatar: Option<String>,
    is_staff: bool,
    is_superuser: bool,
    date_joined: String,
    last_login: Option<String>,
    /// Of a help desk that is none of ours.
    unanswered_messages_count: u32,
    bio: String,
    date_of_birth: Option<String>,
    created_at: String,
    updated_at: String,
}

impl UserObject {
    /// The bearer as the store has them now.
    pub(crate) async fn of_bearer(app: &App, present: &Present) -> Result<Self, Problem> {
        let profile = app.auth().profiles().find(present.account.id).await?;
        let profile = profile.ok_or(Problem::UserNotFound)?;
        Ok(Self::of(app, &present.account, profile))
    }

    /// An account and its profile.
    pub(crate) fn of(app: &App, account: &Account, profile: Profile) -> Self {
        let user = User::of(account);
        let name = shown_name(&profile);
        let base = app.auth().settings().public_url.trim_end_matches('/');
        Self {
            id: user.id,
            initials: initials(&profile, name.as_deref().unwrap_or(&user.email)),
            display_username: match &account.username {
                Some(username) => username.clone(),
                None => user.email.split('@').next().unwrap_or_default().to_owned(),
            },
            full_name: name.unwrap_or_else(|| user.email.to_string()),
            email: user.email.into_owned(),
            first_name: profile.first_name,
            last_name: profile.last_name,
            company: profile.company,
            phone: profile.phone,
            position: profile.position,
            avatar: profile.avatar.map(|id| format!("{base}/avatars/{id}")),
            is_staff: account.is_staff,
            is_superuser: account.is_superuser,
            date_joined: rfc_3339(account.created_at),
            last_login: account.last_sign_in_at.map(rfc_3339),
            unanswered_messages_count: 0,
            bio: profile.bio,
            date_of_birth: profile.date_of_birth,
            created_at: rfc_3339(profile.created_at),
            updated_at: rfc_3339(profile.updated_at),
        }
    }
}

/// First and last name, or the name told in one field; `None` when neither was told.
pub(crate) fn shown_name(profile: &Profile) -> Option<String> {
    let both = format!("{} {}", profile.first_name, profile.last_name);
    let both = both.trim();
    let name = if both.is_empty() { profile.name.trim() } else { both };
    (!name.is_empty()).then(|| name.to_owned())
}

/// The first letters of first and last name, or of what is shown instead of them.
fn initials(profile: &Profile, shown: &str) -> String {
    let first = |text: &str| text.chars().next();
    let letters: String = match (first(&profile.first_name), first(&profile.last_name)) {
        (None, None) => first(shown).into_iter().collect(),
        (one, other) => one.into_iter().chain(other).collect(),
    };
    letters.to_uppercase()
}
