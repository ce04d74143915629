//! Tickets: with them an executor makes calls beside the stream of its session, to send logs. A
//! ticket is valid as long as the session.

use std::{fmt::Write as _, sync::Arc};

use fastjob_engine::{Connected, SessionId};
use subtle::ConstantTimeEq;

use super::Sessions;

/// The scheme of the header.
const SCHEME: &str = "FastJob-Session";

/// A secret of a session. `Debug` does not show it.
pub(crate) struct Ticket(String);

impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ticket(…)")
    }
}

impl Ticket {
    /// A new random ticket.
    pub(super) fn new(session: SessionId) -> Self {
        let secret: [u8; 32] = rand::random();
        let mut text = format!("{SCHEME} {} ", session.0);
        for byte in secret {
            let _ = write!(text, "{byte:02x}"); // writing to a String cannot fail
        }
        Self(text)
    }

    /// The session that a header claims to be of.
    fn session(header: &[u8]) -> Option<SessionId> {
        let text = std::str::from_utf8(header).ok()?;
        let (scheme, rest) = text.split_once(' ')?;
        let (session, _) = rest.split_once(' ')?;
        Some(SessionId(session.parse().ok()?)).filter(|_| scheme == SCHEME)
    }
}

impl Sessions {
    /// The header that a session may show, while it is open.
    pub(crate) fn ticket(&self, id: SessionId) -> Option<String> {
        self.lock().sessions.get(&id).map(|session| session.ticket.0.clone())
    }

    /// The executor whose session has this ticket.
    pub(crate) fn holder(&self, header: &[u8]) -> Option<Arc<Connected>> {
        let id = Ticket::session(header)?;
        let open = self.lock();
        let session = open.sessions.get(&id)?;
        let is_right = bool::from(session.ticket.0.as_bytes().ct_eq(header));
        is_right.then(|| Arc::clone(&session.executor))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_names_its_session() {
        let ticket = Ticket::new(SessionId(12));
        assert_eq!(Ticket::session(ticket.0.as_bytes()), Some(SessionId(12)));
        assert_ne!(ticket.0, Ticket::new(SessionId(12)).0);
        assert_eq!(format!("{ticket:?}"), "Ticket(…)");
        for other in ["", "Bearer 12 ab", "FastJob-Session", "FastJob-Session x ab", "\u{1f980}"] {
            assert_eq!(Ticket::session(other.as_bytes()), None, "{other}");
        }
        assert!(Sessions::default().holder(ticket.0.as_bytes()).is_none());
    }
}
