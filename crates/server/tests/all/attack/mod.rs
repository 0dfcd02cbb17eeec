//! Attacks on `serve`, each by its name in the catalogue, on both engines.

mod abuse;
mod accounts;
mod accounts_door;
mod bad_input;
mod browser;
mod codes;
mod codes_apart;
mod codes_uniform;
mod contract;
mod cross_site;
mod database;
mod forged_tokens;
mod gateway;
mod house;
mod http;
mod links;
mod otp_session_door;
mod second_factor;
mod sessions;
mod sink;
mod sms;
mod social;
mod stolen_database;
mod uniform;
mod users_door;
