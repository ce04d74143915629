//! Keeps the executor's secrets, such as its token, from the programs it runs.
//!
//! A program that runs as another user cannot read the executor's memory or environment. On Linux,
//! a program of the same user could, through `/proc/<parent>/environ` and `mem`, unless the
//! executor is marked as not dumpable. Root can read everything, so an executor that runs as root
//! must name a user for each entry that a job can influence.

use rustix::process::{getegid, geteuid};

use crate::builtin::entry::CommandEntry;

/// The capabilities needed to run a program as another user and to stop it: CAP_KILL, SETGID and
/// SETUID.
#[cfg(target_os = "linux")]
const CAPABILITIES: u64 = 1 << 5 | 1 << 6 | 1 << 7;

/// Checks the user that an entry's programs run as.
pub(in crate::builtin) fn check_user(
    entry: &CommandEntry,
    is_open: bool,
    problem: &mut impl FnMut(String),
) {
    let (user, group) = (geteuid(), getegid());
    match entry.run_as {
        Some(account) if account.user == user.as_raw() && account.group == group.as_raw() => {}
        Some(account) if !may_switch() => problem(format!(
            "it runs as user {} and group {}, which needs root, or CAP_SETUID, CAP_SETGID and \
             CAP_KILL; this executor is user {user} without these",
            account.user, account.group,
        )),
        _ if !user.is_root() && has_ambient_capabilities() => problem(
            "this executor has ambient capabilities, which every program that it runs would \
             inherit: give its file capabilities (`setcap`) in place of AmbientCapabilities="
                .to_owned(),
        ),
        None if user.is_root() && is_open => problem(
            "jobs would run it as root, which can read and change everything: name another user \
             and group (`run_as` in code, `user` and `group` in a file), or 0 and 0 if root is \
             meant"
                .to_owned(),
        ),
        Some(_) | None => {}
    }
}

/// One of this process's capability sets, by its name in `/proc/self/status`.
#[cfg(target_os = "linux")]
fn capabilities(set: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let hex = status.lines().find_map(|line| line.strip_prefix(set));
    hex.and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
}

#[cfg(target_os = "linux")]
fn has_ambient_capabilities() -> bool {
    capabilities("CapAmb:").is_some_and(|set| set != 0)
}

#[cfg(not(target_os = "linux"))]
fn has_ambient_capabilities() -> bool {
    false
}

#[cfg(target_os = "linux")]
fn may_switch() -> bool {
    match capabilities("CapEff:") {
        Some(capabilities) => capabilities & CAPABILITIES == CAPABILITIES,
        None => geteuid().is_root(),
    }
}

#[cfg(not(target_os = "linux"))]
fn may_switch() -> bool {
    geteuid().is_root()
}

/// Hides the executor from programs that run as the same user.
///
/// The process then writes no core dump, and attaching a debugger needs root.
pub(in crate::builtin) fn hide(entries: &[CommandEntry]) -> Result<(), String> {
    let own = geteuid().as_raw();
    let is_own = |entry: &CommandEntry| entry.run_as.is_none_or(|account| account.user == own);
    if !entries.iter().any(is_own) {
        return Ok(());
    }
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(|err| {
            format!("the executor cannot be hidden from the commands that it runs: {err}")
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        tracing::warn!(
            "commands run as the executor's user and may be able to read its environment: \
             configure another user for them"
        );
        Ok(())
    }
}
