//! Where an executor's settings come from, and what is rejected.

use super::*;

fn load(text: &str, env: &[(&str, &str)]) -> Result<ExecutorConfig, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    std::fs::write(&path, text).unwrap();
    set_mode(&path, 0o600);
    ExecutorConfig::load(Some(&path), |name| {
        env.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
    })
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[cfg(not(unix))]
fn set_mode(_: &Path, _: u32) {}

#[cfg(unix)]
#[test]
fn a_file_with_a_token_that_other_users_can_read_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    let load_as = |text: &str, mode: u32, allowed: &str| {
        std::fs::write(&path, text).unwrap();
        set_mode(&path, mode);
        let env = |name: &str| (name == "FASTJOB_INSECURE_FILES").then(|| allowed.to_owned());
        ExecutorConfig::load(Some(&path), env).map(drop).map_err(|err| err.to_string())
    };
    let load = |text: &str, allowed: &str| load_as(text, 0o644, allowed);
    let secret = "[executor]\ntoken = 'a-very-secret-token'";
    let said = load(secret, "").unwrap_err();
    assert!(said.contains("contains the token") && said.contains("chmod 600"), "{said}");
    assert!(!said.contains("very-secret"), "{said}");
    assert_eq!(load(secret, "true"), Ok(()));
    assert_eq!(load(&format!("insecure_files = true\n{secret}"), ""), Ok(()));
    for text in [secret, "insecure_files = true\n[executor]\n"] {
        let said = load_as(text, 0o606, "").unwrap_err();
        assert!(
            said.contains("can change it") && said.contains("FASTJOB_INSECURE_FILES"),
            "{said}"
        );
        assert_eq!(load_as(text, 0o606, "true"), Ok(()));
    }
    assert!(load(secret, "perhaps").unwrap_err().contains("FASTJOB_INSECURE_FILES"));
    assert_eq!(load("[executor]\ncapacity = 3", ""), Ok(()));
}

#[test]
fn a_variable_overrides_the_file() {
    let text = "[executor]\nservice = 'billing'\ncapacity = 5\nstop_grace = '3s'\n[coordinator]\nlisten = 'x'";
    let config = load(
        text,
        &[
            ("FASTJOB_CAPACITY", "7"),
            ("FASTJOB_COORDINATORS", "http://a:1, http://b:2"),
            ("FASTJOB_CA_CERT", "authority.pem"),
        ],
    )
    .unwrap();
    assert_eq!(config.ca_cert, Some("authority.pem".into()));
    assert_eq!((config.service.as_str(), config.capacity), ("billing", 7));
    assert_eq!(config.coordinators, ["http://a:1", "http://b:2"]);
    assert_eq!(config.stop_grace, Duration::from_secs(3));
}

#[test]
fn the_names_of_the_specification_are_accepted_everywhere() {
    let text =
        "[executor]\napp_name = 'billing'\nadmin_addresses = ['http://a:1']\naccess_token = 't'";
    let config = load(text, &[]).unwrap();
    assert_eq!(
        (config.service.as_str(), &*config.coordinators),
        ("billing", &["http://a:1".to_owned()][..])
    );
    assert_eq!(config.token().map(|token| token.0.as_str()), Some("t"));
    let variables = [
        ("FASTJOB_APP_NAME", "sales"),
        ("FASTJOB_ADMIN_ADDRESSES", "http://b:2"),
        ("FASTJOB_ACCESS_TOKEN", "u"),
    ];
    let config = load(text, &variables).unwrap();
    assert_eq!(
        (config.service.as_str(), &*config.coordinators),
        ("sales", &["http://b:2".to_owned()][..])
    );
    assert_eq!(config.token().map(|token| token.0.as_str()), Some("u"));
}

#[test]
fn one_setting_under_both_of_its_names_is_an_error_that_names_both() {
    for (name, other) in names::pairs() {
        let value = if name == "coordinators" { "['http://a:1']" } else { "'a'" };
        let text = format!("[executor]\n{name} = {value}\n{other} = {value}");
        let said = load(&text, &[]).unwrap_err().to_string();
        let both = format!("executor.{name} and executor.{other} are the same setting");
        assert!(said.contains(&both), "{said}");
        let variables = [name, other].map(|name| format!("FASTJOB_{}", name.to_ascii_uppercase()));
        let both = [(variables[0].as_str(), "a"), (variables[1].as_str(), "b")];
        let said = load("", &both).unwrap_err().to_string();
        assert!(variables.iter().all(|variable| said.contains(variable)), "{said}");
        // Other programs read FASTJOB_TOKEN, so both may be set.
        load("", &both.map(|(variable, _)| (variable, "a"))).unwrap();
    }
}

#[test]
fn a_token_in_a_variable_overrides_the_one_in_the_file() {
    let token = |text: &str, env: &[(&str, &str)]| {
        load(text, env).unwrap().token().map(|token| token.0.clone())
    };
    let file = "[executor]\ntoken = 'filed'";
    for name in ["FASTJOB_TOKEN", "FASTJOB_ACCESS_TOKEN"] {
        assert_eq!(token("", &[(name, "other")]).as_deref(), Some("other"));
        assert_eq!(token(file, &[(name, "other")]).as_deref(), Some("other"));
    }
    assert_eq!(token(file, &[]).as_deref(), Some("filed"));
    assert_eq!(token("", &[]), None);
}

#[test]
fn the_token_can_be_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "a-very-secret-token\n").unwrap();
    set_mode(&file, 0o600);
    let path = file.to_str().unwrap();
    let token = |text: &str, env: &[(&str, &str)]| {
        load(text, env).map(|config| config.token().map(|token| token.0.clone()))
    };
    let fails = |text: &str, env: &[(&str, &str)]| token(text, env).unwrap_err().to_string();
    let (named, secret) =
        (format!("[executor]\ntoken_file = '{path}'"), Some("a-very-secret-token"));
    assert_eq!(token(&named, &[]).unwrap().as_deref(), secret);
    let variable = [("FASTJOB_TOKEN_FILE", path)];
    assert_eq!(token("", &variable).unwrap().as_deref(), secret);
    // A variable replaces both settings of the file.
    assert_eq!(token("[executor]\ntoken = 'other'", &variable).unwrap().as_deref(), secret);
    assert_eq!(token(&named, &[("FASTJOB_TOKEN", "other")]).unwrap().as_deref(), Some("other"));
    assert!(fails(&format!("{named}\ntoken = 'other'"), &[]).contains("keep one of them"));
    assert!(fails("", &[variable[0], ("FASTJOB_TOKEN", "other")]).contains("keep one of them"));
    assert!(fails("", &[("FASTJOB_TOKEN_FILE", "/nowhere")]).contains("could not read /nowhere"));
    std::fs::write(&file, "\n").unwrap();
    assert!(fails("", &variable).contains("it has no token"));
    // Settings that were not loaded would lack the token.
    let mut config = ExecutorConfig { token_file: Some(file), ..ExecutorConfig::default() };
    assert_eq!(config.check()[0].key, "token_file");
    config.set_token("a-very-secret-token");
    assert_eq!(config.check(), []);
}

#[cfg(unix)]
#[test]
fn a_file_of_the_token_that_other_users_can_read_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "a-very-secret-token").unwrap();
    set_mode(&file, 0o644);
    let variable = ("FASTJOB_TOKEN_FILE", file.to_str().unwrap());
    let said = load("", &[variable]).unwrap_err().to_string();
    assert!(said.contains("mode 0644") && !said.contains("very-secret"), "{said}");
    load("", &[variable, ("FASTJOB_INSECURE_FILES", "true")]).unwrap();
    load("insecure_files = true", &[variable]).unwrap();
}

#[test]
fn the_settings_are_those_that_the_coordinator_knows() {
    use fastjob_core::settings::EXECUTOR;
    let said = load("[executor]\nnone = 1", &[]).unwrap_err().to_string();
    let read: Vec<_> = said.split('`').skip(3).step_by(2).collect();
    let names: Vec<_> = EXECUTOR.iter().map(|setting| setting.name).collect();
    let others: Vec<_> = EXECUTOR.iter().filter_map(|setting| setting.other_name).collect();
    assert!(read.iter().all(|name| names.contains(name) || others.contains(name)), "{said}");
    assert!(names.iter().all(|name| read.contains(name)), "{said}");
}

#[test]
fn unknown_settings_are_rejected() {
    assert!(load("[executor]\nappname = 'x'", &[]).unwrap_err().to_string().contains("appname"));
    assert!(
        load("", &[("FASTJOB_PORT", "many")]).unwrap_err().to_string().contains("FASTJOB_PORT")
    );
}

#[test]
fn allowed_commands_and_hosts_are_read_from_the_file_and_from_variables() {
    let text = "[executor]\nallow_commands = 'any'\nallow_http = 'any'";
    let config = load(text, &[]).unwrap();
    assert_eq!(config.allow_commands, [CommandEntry::any()]);
    assert_eq!(config.allow_http, ["any"]);
    let variables = [
        ("FASTJOB_ALLOW_COMMANDS", "/bin/pwd, /bin/uname -s"),
        ("FASTJOB_ALLOW_HTTP", "example.org, 10.0.0.0/8"),
    ];
    let config = load(text, &variables).unwrap();
    let uname = CommandEntry::program("uname", "/bin/uname").args(["-s"]);
    assert_eq!(config.allow_commands, [CommandEntry::program("pwd", "/bin/pwd"), uname]);
    assert_eq!(config.allow_http, ["example.org", "10.0.0.0/8"]);
    assert_eq!(config.check(), []);
    let err = load("", &[("FASTJOB_ALLOW_COMMANDS", "*")]).unwrap_err().to_string();
    assert_eq!(err, "FASTJOB_ALLOW_COMMANDS: to allow every command, write \"any\"");
    let names = load("[executor]\nallow_commands = ['pwd']\nallow_http = ['*']", &[]).unwrap();
    let problems: Vec<_> = names.check().iter().map(ToString::to_string).collect();
    assert_eq!(problems[0], "allow_http: `*` has to be written \"any\"");
    assert!(problems[1].starts_with("allow_commands: entry `pwd`: a program must be an"));
}

#[test]
fn a_token_is_not_sent_in_plain_text_beyond_loopback_and_is_never_shown() {
    let mut config = load("[executor]\ncoordinators = ['http://10.0.0.9:7070']", &[]).unwrap();
    assert!(config.check().is_empty());
    config.set_token("a-very-secret-token");
    assert!(config.check()[0].message.contains("plain text"));
    assert!(!format!("{config:?}").contains("secret"));
    config.coordinators = vec!["http://127.0.0.1:7070".to_owned()];
    assert!(config.check().is_empty());
}

#[test]
fn a_comma_in_an_argument_does_not_allow_everything() {
    let commands = |text| load("", &[("FASTJOB_ALLOW_COMMANDS", text)]);
    assert_eq!(commands("any").unwrap().allow_commands, [CommandEntry::any()]);
    let refused = commands("/usr/bin/report --region=eu,any").unwrap_err().to_string();
    assert!(refused.contains("cannot be combined"), "{refused}");
}
