//! The client, over REST.

mod builder;
mod call;
mod client;
mod failure;
mod jobs;
mod list;
mod server_url;
mod token;

pub use self::{
    builder::ClientBuilder,
    call::{Answer, Call},
    client::Client,
    list::{List, Pages},
    server_url::{InvalidServerUrl, ServerUrl},
    token::{InvalidToken, TOKEN_MIN, Token},
};
