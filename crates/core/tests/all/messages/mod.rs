//! The outbox, its texts and its transports.

mod gateway;
mod http_server;
mod outbox;
mod post;
mod sendgrid;
mod sms;
mod smtp;
mod smtp_server;
mod twilio;
mod wording;

use std::sync::Arc;

use ironlatch_core::Auth;
use ironlatch_core::database::{Batch, Row, Statement};
use ironlatch_core::ids::MessageId;
use ironlatch_core::messages::Message;
use ironlatch_core::ports::{Mail, MailTransport, Sms};
use ironlatch_core::time::minutes;
use ironlatch_testkit::{MASTER_KEY, MovedClock, cheap_settings};
use uuid::Uuid;

/// A node on a database, by a clock, with its own way to send mail.
async fn node(url: &str, clock: &Arc<MovedClock>, mail: Arc<dyn MailTransport>) -> Auth {
    let built = Auth::builder()
        .settings(cheap_settings())
        .database(url)
        .master_key(MASTER_KEY)
        .clock(Arc::<MovedClock>::clone(clock))
        .mail(mail)
        .build();
    built.await.unwrap()
}

/// Queues a verification mail that is valid for an hour.
async fn queue(auth: &Auth, to: &str) {
    queue_for(auth, to, 60).await;
}

/// Queues a verification mail that is valid for so many minutes.
async fn queue_for(auth: &Auth, to: &str, valid_minutes: u64) {
    let link = format!("https://auth.example.com/verify-email?token=secret-of-{to}");
    write(auth, to, &Message::VerifyEmail { link }, valid_minutes).await;
}

async fn write(auth: &Auth, to: &str, message: &Message, valid_minutes: u64) {
    let now = auth.clock().now();
    let expires_at = now.plus(minutes(valid_minutes));
    let statement = auth.messages().queue(to, message, now, expires_at).unwrap();
    auth.database().write(statement.into()).await.unwrap();
}

async fn write_all(auth: &Auth, batch: Batch) {
    auth.database().write(batch).await.unwrap();
}

/// The rows of the outbox: recipient, outcome, length of the body, lease owner.
async fn rows(auth: &Auth) -> Vec<(String, Option<String>, usize, Option<MessageId>)> {
    let select = "SELECT recipient, outcome, sealed_body, lease_owner FROM messages ORDER BY id";
    let rows = auth.database().read(Statement::new(select, [])).await.unwrap();
    let read = |row: &Row| {
        (
            row.text(0).unwrap(),
            row.optional_text(1).unwrap(),
            row.bytes(2).unwrap().len(),
            row.optional_id(3).unwrap(),
        )
    };
    rows.iter().map(read).collect()
}

/// A port where nobody listens: bound, read, let go.
fn unused_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An SMS as transports get it.
fn sms(text: &str) -> Sms {
    let id = Uuid::from_u128(0x019a_a3f0_0000_7000_8000_0000_0000_0001).into();
    let to = "+491701234567".to_owned();
    Sms { id, to, text: text.to_owned(), valid_for: minutes(5) }
}

/// A mail as transports get it.
fn mail(to: &str) -> Mail {
    let id = Uuid::from_u128(0x019a_a3f0_0000_7000_8000_0000_0000_0001).into();
    Mail {
        id,
        from: "Ironlatch <noreply@example.com>".to_owned(),
        to: to.to_owned(),
        subject: "Verify your email".to_owned(),
        text: "Grüße,\n\nhttps://auth.example.com/verify-email?token=abc=def\n.\nend\n".to_owned(),
        html: "<p>Grüße</p>\n<a href=\"https://auth.example.com/\">here</a>\n".to_owned(),
    }
}
