//! `fastjob check`: every problem of the configuration, or the settings that apply.

use super::{
    env::Env,
    error::{Error, Failure},
    options::Options,
    out::Out,
};

pub(super) fn run(options: &Options, env: &Env, out: &mut Out<'_>) -> Result<(), Error> {
    let (config, mut problems) = options.read(env)?;
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
