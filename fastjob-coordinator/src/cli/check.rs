//! `fastjob check`: every problem of the configuration, or the settings that apply.

use super::{
    error::{Error, Failure},
    options::Options,
    out::Out,
};
use crate::config::Config;

pub(super) fn run(
    options: &Options,
    env: impl Fn(&str) -> Option<String>,
    out: &mut Out<'_>,
) -> Result<(), Error> {
    let (mut config, mut problems) = Config::read(options.config.as_deref(), env)?;
    options.lay_over(&mut config)?;
    problems.extend(config.check());
    if !problems.is_empty() {
        return Err(Failure::from(problems).into());
    }
    if out.is_json() {
        return out.json(&config.shown());
    }
    out.line("the configuration is fine")?;
    out.raw(&format!("\n{}", config.shown()))
}
