//! `fastjob check`: every problem of the configuration, or the effective settings.

use super::{
    env::Env,
    error::Error,
    options::Options,
    out::{Out, remark},
};
use crate::{coordinator::limits, server::FileLimit};

pub(super) fn run(options: &Options, env: &Env, out: &mut Out<'_>) -> Result<(), Error> {
    let config = options.judged(env, |_| Ok(()))?;
    for warning in config.warnings() {
        remark(format_args!("warning: {warning}"));
    }
    // A warning only: the service may be allowed more open files than this shell.
    match FileLimit::highest().fit(limits::connections(&config.coordinator)) {
        Ok((_, None)) => {}
        Ok((_, Some(message))) => {
            remark(format_args!("warning: if started from this shell: {message}"))
        }
        Err(err) => remark(format_args!("warning: if started from this shell: {err}")),
    }
    if out.is_json() {
        return out.json(&config.shown());
    }
    out.line("the configuration is valid")?;
    out.raw(&format!("\n{}", config.shown()))
}
