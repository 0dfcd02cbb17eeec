//! What people tell about themselves: names, a few words, and a picture.
//!
//! Nothing here is proven, and nothing here opens anything.
//!
//! Owns the tables `profiles` and `avatars`.
