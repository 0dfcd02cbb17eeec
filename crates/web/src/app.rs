//! What every handler shares.

use std::sync::Arc;

use axum::extract::FromRef;
use ironlatch_core::Auth;
use ironlatch_core::sessions::Door;
use ironlatch_core::time::Timestamp;

use crate::cors::Cors;
use crate::request::cookies::CookieNames;
use crate::request::origin::{Origins, origin_of};
use crate::settings::Settings;

/// The state of every route; cheap to clone.
#[derive(Clone)]
pub(crate) struct App(Arc<Inner>);

struct Inner {
    auth: Auth,
    settings: Settings,
    origins: Origins,
    cookies: CookieNames,
}

impl App {
    pub(crate) fn new(auth: Auth, settings: Settings) -> Self {
        let public_url = auth.settings().public_url.clone();
        let secure = public_url.starts_with("https://");
        let origins = Origins {
            own: origin_of(&public_url),
            allowed: allowed_origins(&auth, &settings),
            any_local: settings.any_local_origin,
        };
        Self(Arc::new(Inner { auth, settings, origins, cookies: CookieNames::new(secure) }))
    }

    pub(crate) fn auth(&self) -> &Auth {
        &self.0.auth
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.auth.clock().now()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn origins(&self) -> &Origins {
        &self.0.origins
    }

    pub(crate) fn cookies(&self) -> &CookieNames {
        &self.0.cookies
    }

    pub(crate) fn cors(&self) -> Cors<'_> {
        Cors { origins: &self.0.origins }
    }
}

/// The listed origins, and those of the open doors' front ends, whose pages call us by nature.
fn allowed_origins(auth: &Auth, settings: &Settings) -> Vec<String> {
    let mut origins = settings.allowed_origins.clone();
    for door in Door::ALL {
        let told = auth.settings().door(door);
        let is_open = told.enabled || matches!(door, Door::Api);
        let front_end = told.frontend_url.as_deref().filter(|_| is_open);
        let origin = front_end.map(origin_of).filter(|origin| !origin.is_empty());
        origins.extend(origin.filter(|origin| !origins.contains(origin)));
    }
    origins
}

impl FromRef<App> for Auth {
    fn from_ref(app: &App) -> Self {
        app.auth().clone()
    }
}
