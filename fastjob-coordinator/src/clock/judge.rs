//! Whether a jump of the wall clock is followed.
//!
//! The wall clock is compared with the time that has elapsed since it was last believed; time that
//! the machine was suspended is part of that, so a machine that resumes follows its clock at once.
//! A step back is followed at once too: the caller pauses until the clock has caught up. A jump
//! forward is followed when it has lasted for [`CONFIRM`], or as soon as the database's clock
//! agrees. While the database's clock agrees with the uptime instead, it is not followed at all.

use std::time::Duration;

use super::millis;

/// The wall clock may be ahead of the uptime by so much, in milliseconds, and is followed.
const TOLERATED: i64 = 5_000;
/// Two clocks that differ by no more, in milliseconds, agree.
const AGREE: i64 = 5_000;
/// How long a jump has to last before it is followed without a second clock that agrees.
pub(super) const CONFIRM: Duration = Duration::from_secs(60);
/// For how long a reading of the database's clock says something.
const FRESH: Duration = Duration::from_secs(60);

/// What the machine showed at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    /// Milliseconds since the Unix epoch.
    pub(super) wall: i64,
    /// Since the start, with the time that the machine was suspended.
    pub(super) elapsed: Duration,
}

/// What an operator has to know.
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
    /// The wall time that is trusted at the start: with the elapsed time it is the time now.
    origin: i64,
    jump: Option<Jump>,
    /// The database's clock as `origin`, and when it was read.
    database: Option<(i64, Duration)>,
    behind: bool,
}

/// A jump forward that is not followed yet.
#[derive(Clone, Copy, Debug)]
struct Jump {
    by: i64,
    /// Since when nothing has spoken against it.
    since: Duration,
    contradicted: bool,
}

impl Judge {
    pub(super) fn new(first: Reading) -> Self {
        let origin = first.wall - millis(first.elapsed);
        Self { origin, jump: None, database: None, behind: false }
    }

    /// The time that is trusted, without a look at the wall clock.
    pub(super) fn trusted(&self, reading: Reading) -> i64 {
        let by_uptime = self.origin + millis(reading.elapsed);
        by_uptime.min(reading.wall)
    }

    /// By how much the wall clock is ahead of what is trusted, if it is not followed.
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
            // A new one, or one that has become another.
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

    /// Takes in the database's clock, as the time that it would have shown at the start.
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
                // Two clocks against one. The next minute begins now, and the uptime, which is
                // never quite right, is corrected by the database's clock.
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
