//! How secrets are stored and sent.

use super::*;

#[test]
fn a_node_that_others_would_reach_in_plain_text_is_rejected() {
    let advertise = |url: &str| format!("[coordinator]\nadvertise = '{url}'");
    let plain =
        "coordinator.advertise: executors and other nodes would reach http://n1.example.org/";
    refused(&advertise("http://n1.example.org"), plain.trim_end_matches('/'));
    for fine in ["https://n1.example.org", "http://127.0.0.1:7071", "http://localhost:7071"] {
        assert_eq!(problems(&advertise(fine), &[]), [""; 0]);
    }
    let allowed = [("FASTJOB_INSECURE_PLAINTEXT", "true")];
    assert_eq!(problems(&advertise("http://n1.example.org"), &allowed), [""; 0]);
}

#[test]
fn a_connection_to_a_remote_database_is_safe_or_explicitly_unsafe() {
    let store = |rest: &str| format!("[coordinator]\nstore = 'postgres://{rest}'");
    let check = |rest: &str| {
        let config = load(&store(rest), &[]).unwrap();
        let texts = |all: Vec<Problem>| all.iter().map(ToString::to_string).collect::<Vec<_>>();
        (texts(config.check()), texts(config.warnings()))
    };
    for safe in [
        "u:s3cret@db.example.org/fastjob?sslmode=verify-full",
        "u:s3cret@localhost/fastjob",
        "u:s3cret@127.0.0.1/fastjob?sslmode=prefer",
        "u:s3cret@[::1]/fastjob",
        "/fastjob?host=/var/run",
    ] {
        assert_eq!(check(safe), (vec![], vec![]), "{safe}");
    }
    for open in ["", "?sslrootcert=ca.pem", "?sslmode=prefer", "?sslmode=allow"] {
        let (problems, _) = check(&format!("u:s3cret@db.example.org/fastjob{open}"));
        assert_eq!(problems.len(), 1, "{open}: {problems:?}");
        assert!(problems[0].starts_with("coordinator.store: "), "{problems:?}");
        let says = |word: &str| problems[0].contains(word);
        assert!(says("sslmode=verify-full") && says("sslmode=disable"), "{problems:?}");
        assert!(says("postgres://db.example.org:5432/fastjob") && !says("s3cret"), "{problems:?}");
    }
    for said in ["disable", "require", "verify-ca"] {
        let (problems, warnings) = check(&format!("u:s3cret@10.0.0.9/fastjob?sslmode={said}"));
        assert_eq!(problems, [""; 0], "{said}");
        assert!(warnings.len() == 1 && warnings[0].contains("not safe"), "{warnings:?}");
        assert!(!warnings[0].contains("s3cret"), "{warnings:?}");
    }
    // The store is also opened without a check of all settings: the same rule applies then.
    let config = load(&store("u:s3cret@db.example.org/fastjob"), &[]).unwrap();
    assert_eq!(config.store().unwrap_err().key, "coordinator.store");
}

#[test]
fn the_password_of_a_database_may_be_in_a_separate_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    write_private(&path, "s3cret\n");
    let vars = [
        ("FASTJOB_STORE", "postgres://u@localhost/fastjob"),
        ("FASTJOB_STORE_PASSWORD_FILE", path.to_str().unwrap()),
    ];
    let config = load("", &vars).unwrap();
    assert_eq!(config.check(), []);
    assert_eq!(config.store(), Ok(config.coordinator.store.clone()));
    assert!(!format!("{:?} {}", config.store(), config.shown()).contains("s3cret"));
    let StoreUrl::Postgres(url) = config.store().unwrap() else { panic!("it is another store") };
    assert!(format!("{:?}", url.options()).contains("s3cret"), "it is used");

    let refused = |vars: &[(&str, &str)], because: &str| {
        let found = problems("", vars);
        assert!(found.len() == 1 && found[0].contains(because), "{found:?}");
        assert!(!found[0].contains("s3cret"), "{found:?}");
    };
    let key = "coordinator.store_password_file: ";
    refused(&vars[1..], &format!("{key}it applies only to a PostgreSQL store"));
    let both = [("FASTJOB_STORE", "postgres://u:s3cret@localhost/fastjob"), vars[1]];
    refused(&both, &format!("{key}store contains a password as well"));
    refused(&[vars[0], ("FASTJOB_STORE_PASSWORD_FILE", "/nowhere")], &format!("{key}could not"));
    write_private(&path, "\n");
    refused(&vars, "is empty");
    #[cfg(unix)]
    {
        write_private(&path, "s3cret");
        crate::files::testing::set_mode(&path, 0o644);
        refused(&vars, "all users of this machine can read it (mode 0644): run `chmod 600 ");
    }
}

#[cfg(unix)]
#[test]
fn a_file_with_secrets_that_other_users_can_read_is_rejected_with_a_hint() {
    use crate::files::testing::set_mode;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fastjob.toml");
    let found = |text: &str, mode: u32, vars: &[(&str, &str)]| {
        std::fs::write(&path, text).unwrap();
        set_mode(&path, mode);
        let vars: BTreeMap<_, _> = vars.iter().copied().collect();
        match Config::load(Some(&path), |name| vars.get(name).map(ToString::to_string)) {
            Ok(_) => String::new(),
            Err(err) => err.to_string(),
        }
    };
    for (text, secret) in [
        (format!("[coordinator]\ntoken = '{TOKEN}'"), "coordinator.token"),
        (format!("[client]\ntoken = '{TOKEN}'"), "client.token"),
        (format!("[executor]\ntoken = '{TOKEN}'"), "executor.token"),
        (format!("[executor]\naccess_token = '{TOKEN}'"), "executor.access_token"),
        ("[coordinator]\nstore = 'postgres://u:secret@h/d'".to_owned(), "coordinator.store"),
        ("[alarms.a]\ntype = 'slack'\nurl = 'https://h/secret'".to_owned(), "alarms.a"),
    ] {
        let said = found(&text, 0o644, &[]);
        let why = format!("it has secrets ({secret}), and all users of this machine can read it");
        assert!(said.contains(&why), "{said}");
        assert!(said.contains(&format!("run `chmod 600 {}`", path.display())), "{said}");
        assert!(
            !said.contains("secret@") && !said.contains(TOKEN) && !said.contains("h/secret"),
            "{said}"
        );
        assert!(found(&text, 0o600, &[]).is_empty() && found(&text, 0o400, &[]).is_empty());
        let said = found(&format!("insecure_files = true\n{text}"), 0o644, &[]);
        assert_eq!(said, "", "the operator allows it");
        assert_eq!(found(&text, 0o644, &[("FASTJOB_INSECURE_FILES", "true")]), "");
    }
    let said = found("insecure_files = true\n[coordinator]\n", 0o606, &[]);
    assert!(said.contains("all users of this machine can change it"), "{said}");
    assert!(said.contains("FASTJOB_INSECURE_FILES=true"), "{said}");
    assert_eq!(found("", 0o606, &[("FASTJOB_INSECURE_FILES", "true")]), "");
    assert_eq!(found("[coordinator]\n", 0o664, &[]), "", "there is no secret in it");
    let plain = "[coordinator]\nlisten = '127.0.0.1:1'\nstore = 'postgres://u@h/d'";
    let vars = [("FASTJOB_TOKEN", TOKEN), ("FASTJOB_STORE", "postgres://u:secret@h/d")];
    assert_eq!(found(plain, 0o644, &vars), "", "the secrets are not in the file");
}

#[test]
#[cfg(unix)]
fn the_key_of_the_certificate_is_private() {
    use crate::files::testing::set_mode;
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    for path in [&cert, &key] {
        std::fs::write(path, "text").unwrap();
        set_mode(path, 0o644);
    }
    let mut config = Config::default();
    config.coordinator.tls = Some(crate::config::TlsConfig::new(&cert, &key));
    let said = |config: &Config| config.check().iter().map(ToString::to_string).collect::<String>();
    let why = "coordinator.tls.key: all users of this machine can read it";
    assert!(said(&config).contains(why), "{}", said(&config));
    config.insecure_files = true;
    assert!(!said(&config).contains(why));
    config.insecure_files = false;
    set_mode(&key, 0o600);
    assert!(!said(&config).contains(why));
}

#[test]
fn the_token_may_be_in_a_separate_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    write_private(&path, &format!("{TOKEN}\n"));
    let at = path.to_str().unwrap();
    let its_file = [("FASTJOB_TOKEN_FILE", at)];
    let text = format!("[coordinator]\ntoken_file = '{at}'\n[client]\ntoken_file = '{at}'");
    for config in [load("", &its_file).unwrap(), load(&text, &[]).unwrap()] {
        assert_eq!(config.check(), []);
        let tokens = [&config.coordinator.token, &config.client.token];
        assert!(tokens.iter().all(|token| token.as_ref().unwrap().expose() == TOKEN));
        let shown = config.shown().to_string();
        assert!(shown.contains(at) && !shown.contains(TOKEN), "{shown}");
    }
    // The file of the configuration has no secret then.
    let other = "fedcba9876543210";
    let replaced = load(&text, &[("FASTJOB_TOKEN", other)]).unwrap();
    assert_eq!(replaced.check(), [], "a variable replaces what the file says");
    assert_eq!(replaced.coordinator.token.unwrap().expose(), other);
    let token = format!("[coordinator]\ntoken = '{other}'\n[client]\ntoken = '{other}'");
    let replaced = load(&token, &its_file).unwrap();
    assert_eq!(replaced.check(), []);
    assert_eq!(replaced.client.token.unwrap().expose(), TOKEN);

    let refused = |text: &str, vars: &[(&str, &str)], because: &str| {
        let found = problems(text, vars);
        assert!(found.len() == 2, "the coordinator and the client: {found:?}");
        assert!(found.iter().all(|it| it.contains(because) && !it.contains(TOKEN)), "{found:?}");
    };
    refused("", &[its_file[0], ("FASTJOB_TOKEN", other)], "token is set as well");
    refused("", &[("FASTJOB_TOKEN_FILE", "/nowhere")], "token_file: could not read /nowhere: ");
    let open = [("FASTJOB_LISTEN", "0.0.0.0:7070"), ("FASTJOB_INSECURE_PLAINTEXT", "true")];
    refused("", &[&open[..], &[("FASTJOB_TOKEN_FILE", "/nowhere")]].concat(), "could not read");
    write_private(&path, "\n");
    refused(&text, &[], "is empty");
    write_private(&path, "short");
    refused(&text, &[], "the token has 5 characters");
    #[cfg(unix)]
    {
        write_private(&path, TOKEN);
        crate::files::testing::set_mode(&path, 0o644);
        refused(&text, &[], "all users of this machine can read it (mode 0644): run `chmod 600 ");
        assert_eq!(problems(&text, &[("FASTJOB_INSECURE_FILES", "true")]), [""; 0]);
    }
}
