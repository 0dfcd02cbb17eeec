//! What we need from outside: the time, randomness, addresses of hosts, and ways to send
//! messages.
//!
//! Nothing else in the product reads the clock or the random number generator (clippy holds
//! it), so a test can move the one and repeat the other.

mod clock;
mod mail;
mod random;
mod resolver;
mod sms;

pub use clock::{Clock, SystemClock};
pub use mail::{Mail, MailTransport, SendError};
pub use random::{Random, SystemRandom, Token};
pub use resolver::{Resolver, Resolving, SystemResolver};
pub use sms::{Sms, SmsTransport};
