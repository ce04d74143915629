//! The units of systemd: the service starts as they say, notifies systemd, and stops in time.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::net::UnixDatagram,
    path::Path,
    process::Stdio,
    time::Duration,
};

use fastjob_tests::process::{Process, write_private};

use super::{TOKEN, fastjob, read, root};

/// The values of a key of a unit, in order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix('='));
    lines.collect()
}

/// The variables of a unit.
fn environment(unit: &str) -> BTreeMap<&str, &str> {
    values(unit, "Environment").into_iter().map(|it| it.split_once('=').unwrap()).collect()
}

const UNITS: [&str; 3] = ["fastjob.service", "tls.conf", "postgres.conf"];

fn unit(name: &str) -> String {
    read(&format!("deploy/systemd/{name}"))
}

#[test]
fn each_credential_is_loaded_and_read() {
    for name in UNITS {
        let unit = unit(name);
        let loaded: BTreeSet<_> = values(&unit, "LoadCredential")
            .into_iter()
            .map(|it| it.split_once(':').unwrap().0.to_owned())
            .collect();
        let env = environment(&unit);
        let used: BTreeSet<_> =
            env.values().filter_map(|value| value.strip_prefix("%d/")).map(str::to_owned).collect();
        assert!(!used.is_empty() && used == loaded, "{name}: {loaded:?} and {used:?}");
    }
}

#[test]
fn the_service_starts_and_stops_as_its_unit_says() {
    let unit = unit("fastjob.service");
    assert_eq!(values(&unit, "Type"), ["notify"]);
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    // The settings of the package, with paths and a port of this test.
    let config = fs::read_to_string(root().join("deploy/debian/fastjob.toml")).unwrap();
    let config = config.replace("/var/lib/fastjob", state.to_str().unwrap());
    let config_path = folder.path().join("fastjob.toml");
    write_private(&config_path, &config.replace("127.0.0.1:7070", "127.0.0.1:0"));
    write_private(&folder.path().join("token"), TOKEN);

    let [command] = values(&unit, "ExecStart")[..] else { panic!("{unit}") };
    let mut words = command.split(' ');
    assert_eq!(words.next(), Some("/usr/bin/fastjob"));
    let mut service = fastjob();
    service.args(words.map(|word| match word {
        "/etc/fastjob/fastjob.toml" => config_path.to_str().unwrap(),
        word => word,
    }));
    for (name, value) in environment(&unit) {
        service.env(name, value.replace("%d", folder.path().to_str().unwrap()));
    }
    let socket = folder.path().join("notify");
    let manager = UnixDatagram::bind(&socket).unwrap();
    manager.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    service.env("NOTIFY_SOCKET", &socket).current_dir(&state).stderr(Stdio::null());
    let mut service = Process::start(&mut service);
    assert_eq!(message(&manager), "READY=1\nSTATUS=ready");
    assert!(state.join("fastjob.db").exists());
    service.signal("TERM");
    assert_eq!(message(&manager), "STOPPING=1\nSTATUS=shutting down");
    assert!(service.wait().success());
}

fn message(manager: &UnixDatagram) -> String {
    let mut text = [0; 200];
    let length = manager.recv(&mut text).expect("the coordinator notifies its manager");
    String::from_utf8_lossy(&text[..length]).into_owned()
}

#[test]
fn the_package_installs_what_the_unit_names() {
    let (unit, script) = (unit("fastjob.service"), read("scripts/deb"));
    for path in ["/usr/bin/fastjob", "/etc/fastjob/fastjob.toml", "/etc/default/fastjob"] {
        assert!(unit.contains(path), "the unit does not name {path}");
        assert!(script.contains(&path[1..]), "scripts/deb does not install {path}");
    }
    // Its token is created when it is installed.
    assert!(read("deploy/debian/postinst").contains(">/etc/fastjob/token.new"));
    for path in UNITS.map(|name| format!("deploy/systemd/{name}")) {
        assert!(Path::new(&root().join(&path)).exists() && script.contains(&path), "{path}");
    }
}
