//! Serves the application on port 3000; mail goes to the log.
//!
//! ```sh
//! head -c 32 /dev/urandom > notes.key
//! cargo run -p example-notes
//! ```

use std::net::SocketAddr;

use anyhow::Context as _;
use ironlatch_core::Auth;
use ironlatch_core::settings::Settings;
use ironlatch_core::workers::Workers;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let key = std::fs::read("notes.key").context("notes.key: 32 random bytes are needed")?;
    let key = <[u8; 32]>::try_from(key).ok().context("notes.key: must be 32 bytes")?;
    let settings = Settings {
        public_url: format!("http://127.0.0.1:3000{}", example_notes::PREFIX),
        ..Settings::default()
    };
    let auth = Auth::builder()
        .settings(settings)
        .database("sqlite:notes.db")
        .master_key(key)
        .build()
        .await?;
    // Sends mail, hears of revocations, sweeps.
    let workers = Workers::start(&auth);

    let app = example_notes::app(auth, ironlatch_web::Settings::default());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("notes at http://127.0.0.1:3000/notes");
    // Limits count by network, so every request needs its peer's address.
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    let stop = async { drop(tokio::signal::ctrl_c().await) };
    axum::serve(listener, service).with_graceful_shutdown(stop).await?;
    workers.stop().await;
    Ok(())
}
