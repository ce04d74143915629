//! The client, over REST.

mod answer;
mod builder;
mod call;
mod client;
mod events;
mod failure;
mod jobs;
mod list;
mod round;
mod server_url;
mod server_urls;
mod token;

pub use self::{
    answer::Answer,
    builder::ClientBuilder,
    call::Call,
    client::Client,
    events::{Events, EventsQuery, PageEvent},
    list::{List, Pages},
    server_url::{InvalidServerUrl, ServerUrl},
    server_urls::{InvalidServerUrls, ServerUrls},
    token::{InvalidToken, TOKEN_MIN, Token},
};
