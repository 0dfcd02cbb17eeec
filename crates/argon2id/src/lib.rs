//! Argon2id (RFC 9106) at the speed of the machine.
//!
//! A hash is filled by the fastest [`Form`] the processor has, chosen at run time, in an
//! [`Arena`] that the caller owns and uses again: huge pages where the system gives them, wiped
//! after every hash. Nothing here draws salts, stores hashes or reads PHC strings.
//!
//! ```
//! use ironlatch_argon2id::{Arena, Hasher, Params};
//!
//! let params = Params::new(19_456, 2, 1)?;
//! let mut arena = Arena::new();
//! arena.reserve(&params)?;
//! let mut hash = [0; 32];
//! Hasher::new(params).hash_into(b"correct horse", b"sixteen byte salt", &mut arena, &mut hash)?;
//! # Ok::<(), ironlatch_argon2id::Error>(())
//! ```
//!
//! `hash` is what RFC 9106 §3.2 says from top to bottom, `fill` goes through the memory,
//! `segment` says which block comes of which, and `forms` has the compression function once per
//! kind of processor.

mod addresses;
mod arena;
mod block;
mod error;
mod fill;
mod forms;
mod hash;
mod long_hash;
mod params;
mod segment;
mod window;

pub use arena::Arena;
pub use error::Error;
pub use forms::Form;
pub use hash::Hasher;
pub use params::{Params, Variant, Version};
