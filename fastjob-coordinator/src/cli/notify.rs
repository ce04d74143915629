//! Notifies the service manager, by systemd's protocol: a datagram to the socket that NOTIFY_SOCKET
//! names.
//!
//! The coordinator runs whether or not a message arrives: a failure is logged, and a service
//! manager that misses a message has a timeout of its own.

use std::io;

use super::{env::Env, text::one_line};

/// The socket of the service manager, if there is one.
pub(super) struct Notify(Option<String>);

impl Notify {
    pub(super) fn of(env: &Env) -> Self {
        Self(env.get("NOTIFY_SOCKET").filter(|address| !address.is_empty()))
    }

    /// Whether a service manager waits for messages.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.is_some()
    }

    /// The coordinator can do its work.
    pub(super) fn ready(&self) {
        self.send("READY=1\nSTATUS=ready");
    }

    /// The coordinator runs, but cannot do all of its work. A service manager that waited for more would
    /// end it, and what it can do with it.
    pub(super) fn not_ready(&self, why: &str) {
        self.send(&format!("READY=1\nSTATUS=not ready: {}", one_line(why)));
    }

    /// The coordinator drains, and will end.
    pub(super) fn stopping(&self) {
        self.send("STOPPING=1\nSTATUS=shutting down");
    }

    fn send(&self, message: &str) {
        let Some(address) = &self.0 else { return };
        if let Err(err) = send(address, message) {
            tracing::warn!(socket = address, error = %err, "could not notify the service manager");
        }
    }
}

#[cfg(unix)]
fn send(address: &str, message: &str) -> io::Result<()> {
    use std::os::unix::net::UnixDatagram;

    let socket = UnixDatagram::unbound()?;
    // A service manager that does not read must not block the coordinator.
    socket.set_nonblocking(true)?;
    match address.strip_prefix('@') {
        None => socket.send_to(message.as_bytes(), address)?,
        Some(name) => to_abstract(&socket, name, message)?,
    };
    Ok(())
}

#[cfg(target_os = "linux")]
fn to_abstract(
    socket: &std::os::unix::net::UnixDatagram,
    name: &str,
    message: &str,
) -> io::Result<usize> {
    use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};

    socket.send_to_addr(message.as_bytes(), &SocketAddr::from_abstract_name(name)?)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn to_abstract(_: &std::os::unix::net::UnixDatagram, _: &str, _: &str) -> io::Result<usize> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract sockets exist on Linux only"))
}

#[cfg(not(unix))]
fn send(_: &str, _: &str) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "there are no such sockets on this system"))
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    };

    use super::*;

    #[track_caller]
    fn check(address: &str, manager: &UnixDatagram) {
        let notify = Notify::of(&Env::from([("NOTIFY_SOCKET", address)]));
        assert!(notify.is_wanted());
        notify.not_ready("no\nMAINPID=1");
        notify.ready();
        notify.stopping();
        for expected in [
            "READY=1\nSTATUS=not ready: no MAINPID=1",
            "READY=1\nSTATUS=ready",
            "STOPPING=1\nSTATUS=shutting down",
        ] {
            let mut message = [0; 100];
            let length = manager.recv(&mut message).unwrap();
            assert_eq!(std::str::from_utf8(&message[..length]).unwrap(), expected);
        }
    }

    #[test]
    fn a_service_manager_is_notified_through_a_path_or_an_abstract_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        check(path.to_str().unwrap(), &UnixDatagram::bind(&path).unwrap());
        let name = format!("fastjob-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        check(&format!("@{name}"), &UnixDatagram::bind_addr(&address).unwrap());
    }

    #[test]
    fn without_a_service_manager_nothing_is_sent() {
        for env in [Env::from([]), Env::from([("NOTIFY_SOCKET", "")])] {
            let notify = Notify::of(&env);
            assert!(!notify.is_wanted());
            notify.ready();
        }
        // A socket that is gone ends nothing.
        Notify::of(&Env::from([("NOTIFY_SOCKET", "/nowhere/notify")])).ready();
    }
}
