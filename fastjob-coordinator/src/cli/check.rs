//! `fastjob check`: every problem of the configuration, or the settings that apply.

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
    // The service may be allowed more files than this shell, so it is no problem yet.
    match FileLimit::highest().fit(limits::connections(&config.coordinator)) {
        Ok((_, None)) => {}
        Ok((_, Some(message))) => remark(format_args!("warning: started from here, {message}")),
        Err(err) => remark(format_args!("warning: started from here, {err}")),
    }
    if out.is_json() {
        return out.json(&config.shown());
    }
    out.line("the configuration is fine")?;
    out.raw(&format!("\n{}", config.shown()))
}
