//! The HTTP side over the real core, without a socket.

mod api;
mod cross_site;
mod pages;
