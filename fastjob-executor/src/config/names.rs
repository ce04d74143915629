//! Settings with two names: that of FastJob's vocabulary, and that of its specification.

use fastjob_core::settings::EXECUTOR;

/// Both names of each. The first is the preferred one.
pub(super) fn pairs() -> impl Iterator<Item = (&'static str, &'static str)> {
    EXECUTOR.iter().filter_map(|setting| Some((setting.name, setting.other_name?)))
}

/// Rejects a file that makes one setting under both of its names. Other mistakes are found when the
/// settings themselves are read.
pub(super) fn once(text: &str) -> Result<(), String> {
    let Ok(file) = text.parse::<toml::Table>() else { return Ok(()) };
    let Some(executor) = file.get("executor").and_then(toml::Value::as_table) else {
        return Ok(());
    };
    for (name, other) in pairs() {
        if executor.contains_key(name) && executor.contains_key(other) {
            return Err(format!(
                "executor.{name} and executor.{other} are the same setting: keep one of them"
            ));
        }
    }
    Ok(())
}
