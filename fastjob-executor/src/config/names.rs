//! Settings with two names: that of FastJob's vocabulary, and that of its specification.

/// The first is the preferred name.
pub(super) const PAIRS: [(&str, &str); 3] =
    [("coordinators", "admin_addresses"), ("service", "app_name"), ("token", "access_token")];

/// Rejects a file that makes one setting under both of its names. Other mistakes are found when the
/// settings themselves are read.
pub(super) fn once(text: &str) -> Result<(), String> {
    let Ok(file) = text.parse::<toml::Table>() else { return Ok(()) };
    let Some(executor) = file.get("executor").and_then(toml::Value::as_table) else {
        return Ok(());
    };
    for (name, other) in PAIRS {
        if executor.contains_key(name) && executor.contains_key(other) {
            return Err(format!(
                "executor.{name} and executor.{other} are the same setting: keep one of them"
            ));
        }
    }
    Ok(())
}
