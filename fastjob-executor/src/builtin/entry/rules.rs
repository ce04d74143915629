//! Checks all entries when the executor starts.

use std::{collections::BTreeSet, path::Path};

use super::{CommandEntry, What, pattern::Patterns};

/// The `PATH` of programs, unless their entry sets another.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// An entry with its parsed arguments.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) entry: CommandEntry,
    pub(crate) args: Patterns,
}

/// All entries of an executor.
#[derive(Debug)]
pub(crate) struct Rules(Vec<Rule>);

impl Rules {
    /// Finds the entry that a job names. The error lists the available entries.
    pub(crate) fn find(&self, program: &str, is_script: bool) -> Result<&Rule, String> {
        let named = self.0.iter().find(|rule| match &rule.entry.what {
            What::Program { name, .. } => !is_script && name == program,
            What::Scripts => is_script,
            What::Any => false,
        });
        let any = || self.0.iter().find(|rule| rule.entry.what == What::Any);
        named.or_else(any).ok_or_else(|| {
            let names: Vec<_> = self
                .0
                .iter()
                .filter(|rule| matches!(rule.entry.what, What::Program { .. }))
                .map(|rule| rule.entry.name())
                .collect();
            let what = if is_script { "scripts are".to_owned() } else { format!("`{program}` is") };
            format!(
                "{what} not among the commands that this executor allows: {}; its owner lists them \
                 in `allow_commands`",
                names.join(", ")
            )
        })
    }
}

/// Checks all entries. The errors are for the people who configure the executor.
pub(crate) fn check(entries: &[CommandEntry]) -> Result<Rules, Vec<String>> {
    let (mut rules, mut problems, mut seen) = (Vec::new(), Vec::new(), BTreeSet::new());
    for entry in entries {
        let name = entry.name();
        let mut problem = |why: String| problems.push(format!("entry `{name}`: {why}"));
        if !seen.insert(name) {
            problem("another entry has the same name".to_owned());
        }
        if let What::Program { path, .. } = &entry.what {
            check_program(name, path, &mut problem);
        } else if !entry.args.is_empty() {
            problem("it accepts any arguments, so `args` has no effect".to_owned());
        }
        if entry.what == What::Any && !(entry.job_env.is_empty() && entry.job_dirs.is_empty()) {
            problem(
                "it allows all variables and folders: `job_env` and `job_dirs` have no effect"
                    .to_owned(),
            );
        }
        check_folders(entry, &mut problem);
        check_variables(entry, &mut problem);
        check_limits(entry, &mut problem);
        match Patterns::parse(&entry.args) {
            Ok(args) => {
                #[cfg(unix)]
                super::super::command::check_user(entry, is_open(entry, &args), &mut problem);
                rules.push(Rule { entry: entry.clone(), args });
            }
            Err(why) => problem(why),
        }
    }
    if problems.is_empty() { Ok(Rules(rules)) } else { Err(problems) }
}

/// Whether a job can influence what the program does.
#[cfg(unix)]
fn is_open(entry: &CommandEntry, args: &Patterns) -> bool {
    !(args.are_fixed() && entry.job_env.is_empty() && entry.job_dirs.is_empty())
        || entry.job_stdin
        || !matches!(entry.what, What::Program { .. })
}

fn check_program(name: &str, path: &Path, problem: &mut impl FnMut(String)) {
    if !path.is_absolute() {
        problem(format!(
            "a program must be an absolute path, such as /usr/bin/uname, not `{}`",
            path.display()
        ));
    }
    let in_name = |c: char| c.is_alphanumeric() || "_-.+".contains(c);
    if name.is_empty() || !name.chars().all(in_name) {
        problem("a name consists of letters, digits and `_`, `-`, `.`, `+`".to_owned());
    }
}

fn check_folders(entry: &CommandEntry, problem: &mut impl FnMut(String)) {
    for dir in entry.dir.iter().chain(&entry.job_dirs).filter(|dir| !dir.is_absolute()) {
        problem(format!("`{}` is not an absolute path", dir.display()));
    }
}

fn check_variables(entry: &CommandEntry, problem: &mut impl FnMut(String)) {
    for (name, value) in &entry.env.0 {
        if !is_variable(name) || value.contains('\0') {
            problem(format!("a variable cannot be named `{name}`, or has a zero byte"));
        }
    }
    for name in &entry.job_env {
        if let Err(why) = judge_variable(name) {
            problem(why);
        } else if entry.env.0.contains_key(name) {
            problem(format!("`{name}` is set by the entry, so a job cannot set it"));
        }
    }
}

fn check_limits(entry: &CommandEntry, problem: &mut impl FnMut(String)) {
    let limits = &entry.limits;
    let numbers = [limits.memory, limits.open_files, limits.processes, limits.file_size];
    if numbers.contains(&Some(0)) || limits.cpu.is_some_and(|time| time.is_zero()) {
        problem("a limit is 0, so nothing could run".to_owned());
    }
    if cfg!(target_os = "macos") && limits.memory.is_some() {
        problem("macOS does not support memory limits".to_owned());
    }
}

/// Checks whether a job may set a variable at all: some variables make a program run code that the
/// job supplies.
pub(crate) fn judge_variable(name: &str) -> Result<(), String> {
    if !is_variable(name) {
        return Err(format!("`{name}` is not the name of a variable"));
    }
    if loads_code(name) {
        return Err(format!(
            "a job may not set `{name}`: it can make a program run other code; `env` of the entry \
             can set it"
        ));
    }
    Ok(())
}

/// Whether this is a valid shell variable name. Bash imports functions from variables with other
/// names.
fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The best known variables that make a loader, shell, interpreter or tool run other code. The real
/// protection is that a job sets only the variables that an entry names; this list catches mistakes
/// in entries.
fn loads_code(name: &str) -> bool {
    const NAMES: [&str; 39] = [
        "BASH_ENV",
        "BASHOPTS",
        "CDPATH",
        "CLASSPATH",
        "EDITOR",
        "ENV",
        "GCONV_PATH",
        "GEM_HOME",
        "GEM_PATH",
        "GETCONF_DIR",
        "GIO_MODULE_DIR",
        "GLIBC_TUNABLES",
        "HOSTALIASES",
        "IFS",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVA_OPTIONS",
        "LESSCLOSE",
        "LESSOPEN",
        "LOCALDOMAIN",
        "LOCPATH",
        "LUA_INIT",
        "LUA_PATH",
        "LUA_CPATH",
        "MAKEFLAGS",
        "MANPAGER",
        "NLSPATH",
        "OPENSSL_CONF",
        "OPENSSL_ENGINES",
        "OPENSSL_MODULES",
        "PAGER",
        "PATH",
        "PS4",
        "RES_OPTIONS",
        "RESOLV_HOST_CONF",
        "SHELL",
        "SHELLOPTS",
        "TCLLIBPATH",
        "VISUAL",
        "_JAVA_OPTIONS",
    ];
    const BEGINNINGS: [&str; 11] = [
        "BASH_FUNC_",
        "DYLD_",
        "GIT_",
        "LD_",
        "NODE_",
        "PERL",
        "PHP",
        "PYTHON",
        "RUBY",
        "RUST",
        "ZDOTDIR",
    ];
    NAMES.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}
