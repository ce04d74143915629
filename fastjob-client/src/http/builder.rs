//! The settings of a client.

use std::{
    env, fs,
    path::{Path, PathBuf},
    sync::atomic::AtomicUsize,
    time::Duration,
};

use fastjob_core::{Trace, private};
use reqwest::{Certificate, redirect};

use super::{
    Client, ServerUrl, ServerUrls, Token,
    client::{Server, Shared},
    failure::root,
};
use crate::ClientError;

const CONNECT: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(30);
/// Longer than a call may take, so that a call that timed out is repeated.
const RETRY: Duration = Duration::from_secs(60);
/// Shorter than coordinators keep idle connections, so that no call meets one that is being closed.
const IDLE: Duration = Duration::from_secs(20);

/// The settings of a [`Client`].
#[derive(Clone, Debug)]
#[must_use = "`build` creates the client"]
pub struct ClientBuilder {
    /// Parsed by [`build`](Self::build).
    servers: Vec<String>,
    token: Option<Token>,
    certificates: Vec<Source>,
    insecure_plaintext: bool,
    connect_timeout: Duration,
    timeout: Duration,
    retry_for: Duration,
    user_agent: String,
    trace: Option<Trace>,
}

/// Where certificates come from.
#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Pem(Vec<u8>),
}

impl ClientBuilder {
    pub(super) fn new(server: impl Into<String>) -> Self {
        Self {
            servers: vec![server.into()],
            token: None,
            certificates: Vec::new(),
            insecure_plaintext: false,
            connect_timeout: CONNECT,
            timeout: CALL,
            retry_for: RETRY,
            user_agent: concat!("fastjob-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            trace: None,
        }
    }

    /// The settings of the environment, as the command line reads them: `FASTJOB_SERVER`
    /// (one or several addresses, separated by
    /// commas; `http://127.0.0.1:7070` if it is not set), `FASTJOB_TOKEN`, or `FASTJOB_TOKEN_FILE` for a
    /// file that contains only the token, `FASTJOB_CA_CERT` and `FASTJOB_INSECURE_PLAINTEXT`. A
    /// variable that is set but empty counts as not set.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Setting`] if a variable is not UTF-8, if the file of the token cannot
    /// be read, has none, or can be read by other users of the machine (`FASTJOB_INSECURE_FILES=true`
    /// allows that), if both variables set a token and they differ, or if a switch is neither `true`
    /// nor `false`. [`build`](Self::build) checks the others.
    pub fn from_env() -> Result<Self, ClientError> {
        Self::from_variables(|name| match env::var(name) {
            Ok(text) => Ok(Some(text)),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => {
                Err(ClientError::Setting { name, message: "the variable is not UTF-8".to_owned() })
            }
        })
    }

    pub(super) fn from_variables(
        read: impl Fn(&'static str) -> Result<Option<String>, ClientError>,
    ) -> Result<Self, ClientError> {
        let read = |name| Ok(read(name)?.filter(|text| !text.is_empty()));
        let server = read("FASTJOB_SERVER")?;
        let mut builder = Self::new(server.unwrap_or_else(|| ServerUrl::default().to_string()));
        let switch = |name| match read(name)?.as_deref() {
            None | Some("false" | "0") => Ok(false),
            Some("true" | "1") => Ok(true),
            Some(other) => {
                let message = format!("`{other}` is neither true nor false");
                Err(ClientError::Setting { name, message })
            }
        };
        builder.token = read("FASTJOB_TOKEN")?.map(Token::from);
        if let Some(path) = read("FASTJOB_TOKEN_FILE")?.map(PathBuf::from) {
            let found = token_of(&path, switch("FASTJOB_INSECURE_FILES")?);
            let wrong = |message| ClientError::Setting { name: "FASTJOB_TOKEN_FILE", message };
            let found = found.map_err(wrong)?;
            if builder.token.is_some_and(|token| token != found) {
                let both = "FASTJOB_TOKEN is set as well, to another one: unset one of them";
                return Err(wrong(both.to_owned()));
            }
            builder.token = Some(found);
        }
        builder.certificates.extend(read("FASTJOB_CA_CERT")?.map(PathBuf::from).map(Source::File));
        builder.insecure_plaintext = switch("FASTJOB_INSECURE_PLAINTEXT")?;
        Ok(builder)
    }

    /// Adds the address of another coordinator of the same cluster, or several, separated by commas.
    /// A call is sent to the coordinator that answered last, and to the next one if that one is
    /// unreachable. A call whose answer was lost is only sent again if it is safe to repeat.
    pub fn server(mut self, server: impl Into<String>) -> Self {
        self.servers.push(server.into());
        self
    }

    /// The token of the coordinator. It is sent to the given addresses only. Default: none.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(Token::from(token.into()));
        self
    }

    /// A PEM file with certificates to trust in addition to the machine's, such as that of a private
    /// CA. Can be called more than once.
    pub fn ca_cert(mut self, path: impl Into<PathBuf>) -> Self {
        self.certificates.push(Source::File(path.into()));
        self
    }

    /// Certificates to trust in addition to the machine's, in PEM. Can be called more than once.
    pub fn ca_cert_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.push(Source::Pem(pem.into()));
        self
    }

    /// Allows the token to be sent in plain text to another machine, on a connection that is
    /// protected otherwise. Default: `false`.
    pub fn insecure_plaintext(mut self, is_allowed: bool) -> Self {
        self.insecure_plaintext = is_allowed;
        self
    }

    /// How long a connection may take. Default: 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one call may take, from the connection to the end of the answer, at each
    /// coordinator that is tried. Default: 30 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How long starts with a key, reruns without [`again`](crate::Rerun::again), and drains and
    /// resumes of executors are repeated after transient errors; zero for never. Default: 60 s.
    pub fn retry_for(mut self, span: Duration) -> Self {
        self.retry_for = span;
        self
    }

    /// The name of the program in `user-agent`. Default: the name and version of this crate.
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = name.into();
        self
    }

    /// Makes calls part of this trace that are part of no other: tasks that they start belong to it.
    /// For programs that are one step of a trace, such as a command line. Default: none.
    pub fn in_trace(mut self, trace: Trace) -> Self {
        self.trace = Some(trace);
        self
    }

    /// Creates the client. It connects when the first call is made.
    ///
    /// # Errors
    ///
    /// Fails with [`ClientError::Setting`] if the address, the token or the certificates cannot be
    /// used, with [`ClientError::InsecureTransport`] if the token would be sent in plain text to
    /// another machine, and with [`ClientError::Tls`] if TLS cannot be set up.
    pub fn build(self) -> Result<Client, ClientError> {
        let servers = ServerUrls::of(&self.servers).map_err(|err| setting("server", &err))?;
        if let Some(token) = &self.token {
            token.check().map_err(|err| setting("token", &err))?;
            let open = servers.iter().find(|server| server.is_open_to_others());
            if let Some(server) = open.filter(|_| !self.insecure_plaintext) {
                return Err(ClientError::InsecureTransport { server: server.to_string() });
            }
        }
        // It does not matter if the process already has a provider.
        rustls::crypto::ring::default_provider().install_default().ok();
        // Connections in plain text and those over TLS have different settings.
        let (mut plain, mut tls) = (None, None);
        let mut all = Vec::new();
        for url in servers.iter() {
            let made = if url.is_plain() { &mut plain } else { &mut tls };
            let http = match made {
                Some(http) => http,
                none => none.insert(self.connections(url.is_plain())?),
            };
            all.push(Server { url: url.clone(), http: http.clone() });
        }
        Ok(Client::of(Shared {
            servers: all,
            current: AtomicUsize::new(0),
            token: self.token,
            connect_timeout: self.connect_timeout,
            timeout: self.timeout,
            retry_for: self.retry_for,
            trace: self.trace,
        }))
    }

    /// The connections to all addresses with `http`, or to all with `https`.
    fn connections(&self, is_plain: bool) -> Result<reqwest::Client, ClientError> {
        let mut http = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .redirect(redirect::Policy::none())
            .pool_idle_timeout(IDLE)
            .connect_timeout(self.connect_timeout)
            .timeout(self.timeout);
        if is_plain {
            // Also works on a machine without any certificates. A proxy from the environment would
            // read the token.
            http = http.tls_certs_only([]).no_proxy();
        } else if !self.certificates.is_empty() {
            let mut all = Vec::new();
            for source in &self.certificates {
                all.extend(source.read().map_err(|err| setting("ca_cert", &err))?);
            }
            http = http.tls_certs_merge(all);
        }
        http.build().map_err(|err| ClientError::Tls { reason: root(&err), source: Box::new(err) })
    }
}

/// The token in a file of its own.
fn token_of(path: &Path, allows_exposed: bool) -> Result<Token, String> {
    let shown = path.display();
    let (text, exposed) =
        private::read(path).map_err(|err| format!("could not read {shown}: {err}"))?;
    if let Some(exposed) = exposed.filter(|_| !allows_exposed) {
        return Err(format!(
            "{shown}: {exposed}: make it private to this user, or allow that with \
             FASTJOB_INSECURE_FILES=true"
        ));
    }
    match text.trim_end_matches(['\r', '\n']) {
        "" => Err(format!("{shown} has no token")),
        token => Ok(Token::from(token.to_owned())),
    }
}

fn setting(name: &'static str, message: &impl ToString) -> ClientError {
    ClientError::Setting { name, message: message.to_string() }
}

impl Source {
    fn read(&self) -> Result<Vec<Certificate>, String> {
        match self {
            Self::Pem(pem) => certificates(pem),
            Self::File(path) => {
                let read = fs::read(path).map_err(|err| err.to_string());
                read.and_then(|pem| certificates(&pem)).map_err(|why| unreadable(path, &why))
            }
        }
    }
}

fn unreadable(path: &Path, why: &str) -> String {
    format!("could not read certificates in {}: {why}", path.display())
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    match Certificate::from_pem_bundle(pem) {
        Ok(none) if none.is_empty() => Err("the file contains none".to_owned()),
        Ok(some) => Ok(some),
        Err(err) => Err(root(&err)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(vars: &[(&str, &str)]) -> Result<ClientBuilder, ClientError> {
        ClientBuilder::from_variables(|name| {
            let found = vars.iter().find(|(other, _)| *other == name);
            Ok(found.map(|(_, value)| (*value).to_owned()))
        })
    }

    #[test]
    fn the_environment_has_the_variables_of_the_command_line() {
        let builder = with(&[
            ("FASTJOB_SERVER", "https://jobs.example.org"),
            ("FASTJOB_TOKEN", "0123456789abcdef"),
            ("FASTJOB_CA_CERT", "/ca.pem"),
            ("FASTJOB_INSECURE_PLAINTEXT", "true"),
        ]);
        let builder = builder.unwrap();
        assert_eq!(builder.servers, ["https://jobs.example.org"]);
        assert_eq!(builder.token, Some(Token::from("0123456789abcdef".to_owned())));
        assert!(builder.insecure_plaintext);
        assert!(
            matches!(&builder.certificates[..], [Source::File(path)] if path.ends_with("ca.pem"))
        );
    }

    #[test]
    fn variables_that_are_empty_or_missing_give_the_defaults() {
        for vars in [&[][..], &[("FASTJOB_SERVER", ""), ("FASTJOB_TOKEN", "")]] {
            let builder = with(vars).unwrap();
            assert_eq!(builder.servers, ["http://127.0.0.1:7070"]);
            assert_eq!(builder.token, None);
            builder.build().unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn the_token_can_be_in_a_file_that_only_this_user_can_read() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        let write = |text: &str, mode: u32| {
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        };
        let path = file.to_str().unwrap();
        let read = |more: &[(&str, &str)]| {
            let all = [&[("FASTJOB_TOKEN_FILE", path)], more].concat();
            with(&all).map(|builder| builder.token.unwrap().expose().to_owned())
        };
        let fails = |more: &[(&str, &str)]| read(more).unwrap_err().to_string();
        write("0123456789abcdef\n", 0o600);
        assert_eq!(read(&[]).unwrap(), "0123456789abcdef");
        assert_eq!(read(&[("FASTJOB_TOKEN", "0123456789abcdef")]).unwrap(), "0123456789abcdef");
        assert!(fails(&[("FASTJOB_TOKEN", "fedcba9876543210")]).contains("unset one of them"));
        write("0123456789abcdef", 0o644);
        let said = fails(&[]);
        assert!(said.starts_with("FASTJOB_TOKEN_FILE: ") && said.contains("mode 0644"), "{said}");
        assert!(!said.contains("0123456789"), "{said}");
        assert!(read(&[("FASTJOB_INSECURE_FILES", "true")]).is_ok());
        write("\n", 0o600);
        assert!(fails(&[]).contains("has no token"));
        fs::remove_file(&file).unwrap();
        assert!(fails(&[]).contains("could not read"));
    }

    #[test]
    fn a_switch_that_is_neither_true_nor_false_is_rejected() {
        let error = with(&[("FASTJOB_INSECURE_PLAINTEXT", "yes")]).unwrap_err().to_string();
        assert_eq!(error, "FASTJOB_INSECURE_PLAINTEXT: `yes` is neither true nor false");
    }

    #[test]
    fn an_invalid_variable_is_reported_when_the_client_is_built() {
        let built = with(&[("FASTJOB_TOKEN", "short")]).and_then(ClientBuilder::build);
        assert!(built.unwrap_err().to_string().starts_with("token: the token has 5 characters"));
    }
}
