//! Attacks on `serve`, each by its name in the catalogue, on both engines.

mod abuse;
mod accounts;
mod contract;
mod database;
mod house;
mod http;
mod links;
mod sessions;
mod sink;
mod stolen_database;
mod uniform;
