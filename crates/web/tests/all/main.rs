//! The HTTP side over the real core, without a socket.

#![cfg(test)]

mod address;
mod api;
mod cross_site;
mod doors;
mod otp;
mod pages;
mod profile;
mod second_factor;
mod slow_bodies;
mod social;
mod sources;

use ironlatch_testkit::{TestServer, each_auth};

/// Runs the test on every engine, each time with a server of its own.
async fn each_server(test: impl AsyncFn(TestServer)) {
    each_auth(async |auth| test(TestServer::over(auth)).await).await;
}
