//! What a browser or a client sees: the API, the pages that mails link to, and extractors for
//! an application's own routes. No rule and no SQL: handlers parse, call the core, translate.
//!
//! - [`router`] gives an axum [`Router`](axum::Router) to serve alone or to `nest` at a prefix.
//! - [`SignedIn`], [`Verified`] and [`HasRole`] protect an application's own routes; the
//!   application's state gives the [`Auth`](ironlatch_core::Auth) by `FromRef`.
//! - [`serving`] answers connections with deadlines, request ids and an access log, for those who
//!   have no server of their own.
//! - [`PeerAddress`] (or axum's `ConnectInfo<SocketAddr>`) must be in every request: limits
//!   count by network, and one bucket for everybody would let anybody lock everybody out.

mod api;
mod app;
mod cors;
mod doors;
mod edge;
mod extract;
mod openapi;
mod pages;
mod problem;
mod qr;
mod request;
mod routes;
pub mod serving;
mod settings;

pub use extract::{HasRole, Role, SignedIn, Verified};
pub use openapi::openapi;
pub use pages::reference::documents;
pub use problem::{Problem, ProblemJson};
pub use request::address::{PeerAddress, client_address};
pub use routes::{not_found, router};
pub use settings::{LOCAL_HOSTS, Settings};
