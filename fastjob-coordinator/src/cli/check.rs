//! `fastjob check`: every problem of the configuration, or the settings that apply.

use super::{
    env::Env,
    error::Error,
    options::Options,
    out::{Out, remark},
};

pub(super) fn run(options: &Options, env: &Env, out: &mut Out<'_>) -> Result<(), Error> {
    let config = options.judged(env, |_| Ok(()))?;
    for warning in config.warnings() {
        remark(format_args!("warning: {warning}"));
    }
    if out.is_json() {
        return out.json(&config.shown());
    }
    out.line("the configuration is fine")?;
    out.raw(&format!("\n{}", config.shown()))
}
