//! `fastjob check`: every problem of the configuration, or the effective settings.

use super::{
    env::Env,
    error::Error,
    options::{Judged, Options},
    out::{Out, remark},
};
use crate::{config::executor, coordinator::limits, server::FileLimit};

pub(super) fn run(options: &Options, env: &Env, out: &mut Out<'_>) -> Result<(), Error> {
    let Judged { config, source } = options.judged(env, |_| Ok(()), executor::check)?;
    let mut warnings: Vec<_> = config.warnings().iter().map(ToString::to_string).collect();
    // A warning only: the service may be allowed more open files than this shell.
    let few_files = match FileLimit::highest().fit(limits::connections(&config.coordinator)) {
        Ok((_, message)) => message,
        Err(err) => Some(err.to_string()),
    };
    warnings.extend(few_files.map(|message| format!("if started from this shell: {message}")));
    if out.is_json() {
        return out.json(&serde_json::json!({
            "file": source.path,
            "settings": config.shown(),
            "warnings": warnings,
        }));
    }
    for warning in warnings {
        remark(format_args!("warning: {warning}"));
    }
    out.line("the configuration is valid")?;
    out.line(source.described())?;
    out.raw(&format!("\n{}", config.shown()))
}
