//! What Ironlatch's tests stand on: a server, a clock to move, an inbox to read, a browser
//! without a screen, providers to sign in with, a throwaway PostgreSQL.

#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a fault of the kit is a fault of the test, and should stop it with a sentence"
)]

mod auth;
mod browser;
mod clock;
mod engines;
mod html;
mod inbox;
mod jar;
mod postgres;
pub mod provider;
mod qr;
mod second_factor;
mod server;

pub use auth::{
    MASTER_KEY, PASSWORD, TestAccount, TestAuth, TestAuthBuilder, address, cheap_settings, client,
    open_doors,
};
pub use browser::Browser;
pub use clock::{MovedClock, START};
pub use engines::{each_auth, each_engine, on_postgres, on_sqlite};
pub use inbox::{Inbox, Received};
pub use postgres::{PostgresDatabase, PostgresServer, empty_postgres, postgres};
pub use qr::read_qr;
pub use second_factor::{Enrolled, totp_code};
pub use server::{Answer, TestClient, TestServer};
