//! The one client that asks other servers.
