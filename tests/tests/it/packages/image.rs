//! The image, without Docker: the program with the files and the environment of the last stage, a
//! read-only root, and no rights.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use fastjob_tests::{eventually, process::Process};
use tempfile::TempDir;

use super::{TOKEN, has, read};
use crate::FASTJOB;

/// The last stage of the Dockerfile.
fn last_stage() -> String {
    let dockerfile = read("deploy/docker/Dockerfile").replace("\\\n", " ");
    let (_, stage) = dockerfile.rsplit_once("\nFROM ").unwrap();
    stage.to_owned()
}

/// The arguments of an instruction.
fn instruction(stage: &str, name: &str) -> String {
    let mut lines = stage.lines().filter_map(|line| line.trim().strip_prefix(name));
    lines.next().unwrap_or_else(|| panic!("there is no {name}")).trim().to_owned()
}

fn words(list: &str) -> Vec<String> {
    serde_json::from_str(list).unwrap_or_else(|err| panic!("{list}: {err}"))
}

/// Where the base image has the certificates of public authorities. A coordinator needs them to start.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Copies the program, and what it needs of the base image: the libraries that it is linked to, and
/// certificates.
fn fill(root: &Path) {
    let put = |from: &str, to: &str| {
        let to = root.join(to.trim_start_matches('/'));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from, to).unwrap();
    };
    put(FASTJOB, "/usr/bin/fastjob");
    put(AUTHORITIES, AUTHORITIES);
    let listed = Command::new("ldd").arg(FASTJOB).output().unwrap();
    for word in String::from_utf8_lossy(&listed.stdout).split_whitespace() {
        if word.starts_with('/') {
            put(word, word);
        }
    }
    for folder in ["var/lib/fastjob", "dev", "proc"] {
        fs::create_dir_all(root.join(folder)).unwrap();
    }
}

/// What the last stage says about how the image runs.
struct Image {
    stage: String,
    env: BTreeMap<String, String>,
    user: String,
    group: String,
    root: TempDir,
    data: TempDir,
}

impl Image {
    fn new() -> Self {
        let stage = last_stage();
        let env = instruction(&stage, "ENV");
        let pairs = env.split_whitespace().map(|pair| pair.split_once('=').unwrap());
        let env = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let user = instruction(&stage, "USER");
        let (user, group) = user.split_once(':').unwrap();
        let (user, group) = (user.to_owned(), group.to_owned());
        let (root, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fill(root.path());
        Self { stage, env, user, group, root, data }
    }

    /// The environment with a token, and with these settings.
    fn env(&self, settings: &[(&str, &str)]) -> BTreeMap<String, String> {
        let more = [&[("FASTJOB_TOKEN", TOKEN)], settings].concat();
        let more = more.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.env.clone().into_iter().chain(more).collect()
    }

    /// Its entry point in a sandbox with a network of its own, as its user and without capabilities.
    fn run(&self, settings: &[(&str, &str)]) -> Command {
        let mut command = Command::new("bwrap");
        command.args(["--unshare-all", "--die-with-parent", "--cap-drop", "ALL"]);
        command.args(["--info-fd", "1", "--uid", &self.user, "--gid", &self.group]);
        command.arg("--ro-bind").arg(self.root.path()).arg("/");
        let volume = &words(&instruction(&self.stage, "VOLUME"))[0];
        command.arg("--bind").arg(self.data.path()).arg(volume);
        command.args(["--dev", "/dev", "--proc", "/proc", "--remount-ro", "/"]);
        command.args(["--chdir", &instruction(&self.stage, "WORKDIR")]).arg("--clearenv");
        for (name, value) in self.env(settings) {
            command.args(["--setenv", &name, &value]);
        }
        command.args(words(&instruction(&self.stage, "ENTRYPOINT")));
        command.args(words(&instruction(&self.stage, "CMD"))).stdin(Stdio::null());
        command
    }

    /// Its health check, in the sandbox with this process.
    fn check(&self, pid: u64, settings: &[(&str, &str)]) -> Command {
        let health = instruction(&self.stage, "HEALTHCHECK");
        let (_, health) = health.split_once("CMD").unwrap();
        let mut command = Command::new("nsenter");
        command.args(["--target", &pid.to_string(), "--user", "--net", "--mount", "--root"]);
        command.args(["--setuid", &self.user, "--setgid", &self.group]).args(words(health.trim()));
        command.env_clear().envs(self.env(settings)).stdin(Stdio::null());
        command
    }
}

#[tokio::test]
async fn the_image_runs_with_a_read_only_root_and_without_rights() {
    let because = "the image in a sandbox";
    if !has("bwrap", because) || !has("nsenter", because) {
        return;
    }
    if !Path::new(AUTHORITIES).exists() {
        eprintln!("NOT TESTED: {because}: {AUTHORITIES} is missing");
        return;
    }
    let image = Image::new();
    // Without a decision on TLS, it does not start.
    let refused = image.run(&[]).output().unwrap();
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    if said.contains("bwrap: ") {
        eprintln!("NOT TESTED: {because}: {said}");
        return;
    }
    assert!(!refused.status.success() && said.contains("insecure_plaintext"), "{said}");

    let plaintext = [("FASTJOB_INSECURE_PLAINTEXT", "true")];
    let [info, log] = ["info", "log"].map(|name| image.root.path().join(name));
    let mut serve = image.run(&plaintext);
    serve.stdout(File::create(&info).unwrap()).stderr(File::create(&log).unwrap());
    let _coordinator = Process::start(&mut serve);
    let healthy = || async {
        let info: serde_json::Value = serde_json::from_slice(&fs::read(&info).ok()?).ok()?;
        let checked = image.check(info["child-pid"].as_u64()?, &plaintext).output().ok()?;
        checked.status.success().then_some(checked.stdout)
    };
    let said = eventually("the health check succeeds", Duration::from_secs(30), healthy).await;
    assert_eq!(said, b"ready\n");
    assert!(image.data.path().join("fastjob.db").exists(), "the store is in the volume");
    let log = fs::read_to_string(&log).unwrap();
    assert!(log.contains("listening on http://0.0.0.0:7070"), "{log}");
}
