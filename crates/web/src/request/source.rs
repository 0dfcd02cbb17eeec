//! Where a request says that somebody came from: for counting, never trusted, never an error.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, Query};
use http::header::REFERER;
use http::request::Parts;
use http::{HeaderValue, Uri};
use ironlatch_core::sources::{Source, SourceHint};

use super::fields::Fields;
use super::origin::{Origins, origin_of};
use crate::app::App;

/// The parameters of a campaign.
const UTM: [&str; 5] = ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"];

/// What headers and query say; [`CameFrom::hint`] adds the body.
pub(crate) struct CameFrom {
    referrer: Option<String>,
    query: Vec<(String, String)>,
}

impl FromRequestParts<App> for CameFrom {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let referrer = parts.headers.get(REFERER).map(HeaderValue::to_str).and_then(Result::ok);
        let referrer = referrer.filter(|page| !is_plainly_ours(page, app.origins()));
        Ok(Self { referrer: referrer.map(str::to_owned), query: pairs(&parts.uri) })
    }
}

impl CameFrom {
    /// The whole hint, where a contract has no `source_url` or says nothing of a bad one.
    pub(crate) fn hint(self, fields: &mut Fields) -> SourceHint {
        let source_url = fields.optional_text("source_url");
        self.with(source_url, fields)
    }

    /// The same where the contract refuses a bad `source_url`; a blank one is none.
    pub(crate) fn checked(self, fields: &mut Fields) -> SourceHint {
        let source_url = fields.optional_text("source_url").filter(|url| !url.trim().is_empty());
        if source_url.as_deref().is_some_and(|url| Source::parse(url).is_none()) {
            fields.mistake("source_url", "Enter a valid URL.");
        }
        self.with(source_url, fields)
    }

    /// The hint of a page, which has no body.
    pub(crate) fn of_address(self) -> SourceHint {
        self.with_body(None, |_| None)
    }

    fn with(self, source_url: Option<String>, fields: &mut Fields) -> SourceHint {
        self.with_body(source_url, |name| fields.optional_text(name))
    }

    fn with_body(
        self,
        source_url: Option<String>,
        mut of_body: impl FnMut(&'static str) -> Option<String>,
    ) -> SourceHint {
        let of_query = |name: &str| {
            let pair = self.query.iter().find(|(key, _)| key == name);
            pair.map(|(_, value)| value.clone())
        };
        let mut utm = Vec::new();
        for name in UTM {
            let value = of_body(name).or_else(|| of_query(name));
            utm.extend(value.map(|value| (name.to_owned(), value)));
        }
        let source_url = source_url.or_else(|| of_query("source_url"));
        SourceHint { source_url, referrer: self.referrer, utm }
    }
}

/// Whether a referring page is a front end of ours that nobody was led to by a campaign.
fn is_plainly_ours(page: &str, origins: &Origins) -> bool {
    let led_here = |uri: &Uri| pairs(uri).iter().any(|(name, _)| UTM.contains(&name.as_str()));
    origins.include(origin_of(page).as_bytes()) && !page.parse().is_ok_and(|uri| led_here(&uri))
}

fn pairs(uri: &Uri) -> Vec<(String, String)> {
    Query::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default()
}
