//! The end of a task's log, which is read on from where it was.

use std::collections::VecDeque;

use fastjob_client::{Call, Client, ClientError, LogPlace, LogQuery, Step, types::TaskView};

/// Most lines that are kept.
const LINES: usize = 2_000;
/// Bytes of a piece.
const PIECE: u32 = 256 * 1024;
/// Most pieces that are read at once, so that a long log does not delay the display.
const PIECES: usize = 16;

/// A task that is looked at: what it says of itself, and the last lines of its log.
#[derive(Debug)]
pub(super) struct Tail {
    pub(super) task: i64,
    pub(super) view: Option<TaskView>,
    pub(super) lines: VecDeque<String>,
    /// Why there is no log, or what is missing.
    pub(super) note: Option<String>,
    place: LogPlace,
    /// The last line has no end yet.
    is_cut: bool,
    ended: bool,
    /// A request is in progress, and has the place.
    is_lent: bool,
}

impl Tail {
    pub(super) fn new(task: i64) -> Self {
        let mut query = LogQuery::default();
        query.limit = Some(PIECE);
        Self {
            task,
            view: None,
            lines: VecDeque::new(),
            note: None,
            place: LogPlace::new(query),
            is_cut: false,
            ended: false,
            is_lent: false,
        }
    }

    /// The tail for a request, which [`read`](Self::read)s on and comes back in place of this one;
    /// `None` if one is in progress.
    pub(super) fn lend(&mut self) -> Option<Self> {
        if std::mem::replace(&mut self.is_lent, true) {
            return None;
        }
        Some(
            Self {
                task: self.task,
                view: self.view.clone(),
                lines: self.lines.clone(),
                note: self.note.clone(),
                place: LogPlace::new(LogQuery::default()),
                is_cut: self.is_cut,
                ended: self.ended,
                is_lent: false,
            }
            .with_place_of(self),
        )
    }

    fn with_place_of(mut self, other: &mut Self) -> Self {
        std::mem::swap(&mut self.place, &mut other.place);
        self
    }

    /// Reads what is new.
    ///
    /// # Errors
    ///
    /// Fails if the task cannot be read. A log that cannot is a note.
    pub(super) async fn read(&mut self, client: &Client) -> Result<(), ClientError> {
        self.view = Some(client.call(Call::task(self.task)).await?);
        for _ in 0..PIECES {
            if self.ended {
                break;
            }
            let answer = client.call(Call::log(self.task, self.place.query())).await;
            if self.place.is_end(&answer) {
                self.ended = true;
                break;
            }
            let piece = match answer {
                Ok(piece) => piece,
                Err(err) => {
                    self.note = Some(super::super::error::Failure::from(err).title);
                    break;
                }
            };
            self.note.clone_from(&piece.note);
            let step = self.place.advance(&piece);
            self.add(&piece.text);
            match step {
                Step::Text { .. } | Step::Retry => {}
                Step::Wait => break,
                Step::End => self.ended = true,
            }
        }
        Ok(())
    }

    pub(super) fn add(&mut self, text: &str) {
        for line in text.split_inclusive('\n') {
            match self.lines.back_mut().filter(|_| self.is_cut) {
                Some(last) => last.push_str(line.trim_end_matches('\n')),
                None => self.lines.push_back(line.trim_end_matches('\n').to_owned()),
            }
            self.is_cut = !line.ends_with('\n');
            if self.lines.len() > LINES {
                self.lines.pop_front();
            }
        }
    }
}
