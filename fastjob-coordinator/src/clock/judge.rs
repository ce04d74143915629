//! Whether a jump of the wall clock is followed.
//!
//! The wall clock is compared with the time elapsed since it was last trusted. This includes time
//! that the machine was suspended, so a machine that resumes follows its clock at once. A step back
//! is also followed at once: the caller pauses until the clock has caught up. A forward jump is
//! followed after it has lasted for [`CONFIRM`], or as soon as the database's clock agrees. It is
//! not followed while the database's clock agrees with the uptime instead.

use std::time::Duration;

use super::millis;

/// How far the wall clock may be ahead of the uptime, in milliseconds, and still be followed.
const TOLERATED: i64 = 5_000;
/// Two clocks agree if they differ by at most this, in milliseconds.
const AGREE: i64 = 5_000;
/// How long a jump has to last before it is followed without the agreement of a second clock.
pub(super) const CONFIRM: Duration = Duration::from_secs(60);
/// How long a reading of the database's clock stays valid.
const FRESH: Duration = Duration::from_secs(60);

/// The machine's clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Milliseconds since the Unix epoch.
    pub(super) wall: i64,
    /// The time since the start, including time that the machine was suspended.
    pub(super) elapsed: Duration,
}

/// A change that an operator has to know about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Jumped { by: i64 },
    Contradicted { by: i64 },
    AheadOfDatabase { by: i64 },
    BehindDatabase { by: i64 },
    Confirmed { by: i64, because: &'static str },
    Corrected { by: i64 },
}

#[derive(Debug)]
pub(super) struct Judge {
    /// The trusted wall time at the start. The time now is this plus the elapsed time.
    origin: i64,
    jump: Option<Jump>,
    /// The database's clock in the form of `origin`, and when it was read.
    database: Option<(i64, Duration)>,
    behind: bool,
}

/// A jump forward that is not followed yet.
#[derive(Clone, Copy, Debug)]
struct Jump {
    by: i64,
    /// Since when no other clock has contradicted it.
    since: Duration,
    contradicted: bool,
}

impl Judge {
    pub(super) fn new(first: Reading) -> Self {
        let origin = first.wall - millis(first.elapsed);
        Self { origin, jump: None, database: None, behind: false }
    }

    /// The trusted time, without reading the wall clock.
    pub(super) fn trusted(&self, reading: Reading) -> i64 {
        let by_uptime = self.origin + millis(reading.elapsed);
        by_uptime.min(reading.wall)
    }

    /// By how much the wall clock is ahead of the trusted time, if it is not followed.
    pub(super) fn unconfirmed(&self) -> Option<i64> {
        self.jump.map(|jump| jump.by)
    }

    /// The wall time that is trusted now.
    pub(super) fn judge(&mut self, reading: Reading) -> (i64, Option<Change>) {
        let trusted = self.origin + millis(reading.elapsed);
        let by = reading.wall - trusted;
        if by <= TOLERATED {
            let corrected = self.jump.map(|jump| Change::Corrected { by: jump.by });
            return (self.follow(reading), corrected);
        }
        if self.database_at(reading.elapsed).is_some_and(|at| agree(at, reading.wall)) {
            let because = "the database's clock agrees";
            return (self.follow(reading), Some(Change::Confirmed { by, because }));
        }
        let jump = match self.jump {
            Some(jump) if (jump.by - by).abs() <= TOLERATED => jump,
            // A new jump, or one whose size has changed.
            Some(_) | None => {
                let since = reading.elapsed;
                self.jump = Some(Jump { by, since, contradicted: false });
                return (trusted, Some(Change::Jumped { by }));
            }
        };
        if reading.elapsed.saturating_sub(jump.since) >= CONFIRM {
            let because = "it has lasted";
            return (self.follow(reading), Some(Change::Confirmed { by, because }));
        }
        (trusted, None)
    }

    /// Records the database's clock, as the time that it would have shown at the start.
    pub(super) fn database(&mut self, origin: i64, first: bool, at: Reading) -> Option<Change> {
        self.database = Some((origin, at.elapsed));
        let shown = origin + millis(at.elapsed);
        let ahead = at.wall - shown;
        if first && ahead > AGREE {
            self.origin = origin;
            self.jump = Some(Jump { by: ahead, since: at.elapsed, contradicted: true });
            return Some(Change::AheadOfDatabase { by: ahead });
        }
        if let Some(jump) = &mut self.jump {
            if agree(shown, self.origin + millis(at.elapsed)) && !agree(shown, at.wall) {
                // Two clocks agree against one. The minute restarts now, and the uptime, which
                // drifts, is corrected by the database's clock.
                self.origin = origin;
                jump.since = at.elapsed;
                let already = std::mem::replace(&mut jump.contradicted, true);
                return (!already).then_some(Change::Contradicted { by: jump.by });
            }
            return None;
        }
        let behind = -ahead > AGREE;
        let before = std::mem::replace(&mut self.behind, behind);
        (behind && !before).then_some(Change::BehindDatabase { by: -ahead })
    }

    fn follow(&mut self, reading: Reading) -> i64 {
        self.origin = reading.wall - millis(reading.elapsed);
        self.jump = None;
        reading.wall
    }

    /// The database's clock, unless it was read too long ago.
    fn database_at(&self, elapsed: Duration) -> Option<i64> {
        let (origin, read) = self.database?;
        (elapsed.saturating_sub(read) <= FRESH).then(|| origin + millis(elapsed))
    }
}

fn agree(one: i64, other: i64) -> bool {
    (one - other).abs() <= AGREE
}
