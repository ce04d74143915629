//! Following logs: one poll per log, however many clients follow it.
//!
//! A follower first reads the existing text by itself. Once it has caught up, it waits for the feed
//! of the log, which polls for all of its followers, less often the longer the log has not grown.
//! So a follower of a quiet log costs only its connection.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use super::{Error, LogView};

/// Poll interval of a log that has just grown.
const POLL: Duration = Duration::from_millis(500);
/// Poll interval of a log that has not grown for a long time.
const POLL_RARELY: Duration = Duration::from_secs(3);
/// The poll interval grows after the log has been quiet for this many intervals.
const QUIET: u32 = 10;
/// If a piece has this many bytes, more text is probably available.
const LONG_PIECE: usize = 60 * 1024;

/// A log: of an attempt, by its number within its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LogKey {
    pub(crate) task: i64,
    pub(crate) shard: u32,
    pub(crate) attempt: u32,
}

/// The last piece that was read.
type Latest = Option<Arc<LogView>>;

/// The logs that are followed. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Feeds(Arc<Mutex<HashMap<LogKey, Weak<watch::Sender<Latest>>>>>);

/// A client that follows a log. `R` reads the log from an offset, up to a limit.
pub(crate) struct Follower<R> {
    feeds: Feeds,
    log: LogKey,
    read: Arc<R>,
    limit: Option<u32>,
    offset: u64,
    /// Whether more text may be available.
    is_behind: bool,
    feed: Option<watch::Receiver<Latest>>,
}

impl Feeds {
    fn lock(&self) -> MutexGuard<'_, HashMap<LogKey, Weak<watch::Sender<Latest>>>> {
        // Nothing panics while the lock is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Subscribes to the feed of a log; a new feed begins at `offset`.
    fn subscribe<R, F>(&self, log: LogKey, offset: u64, read: &Arc<R>) -> watch::Receiver<Latest>
    where
        R: Fn(u64, Option<u32>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<LogView, Error>> + Send + 'static,
    {
        let mut feeds = self.lock();
        if let Some(sender) = feeds.get(&log).and_then(Weak::upgrade) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(None);
        let sender = Arc::new(sender);
        feeds.insert(log, Arc::downgrade(&sender));
        tokio::spawn(self.clone().poll(log, offset, Arc::clone(read), sender));
        receiver
    }

    async fn poll<R, F>(
        self,
        log: LogKey,
        mut offset: u64,
        read: Arc<R>,
        sender: Arc<watch::Sender<Latest>>,
    ) where
        R: Fn(u64, Option<u32>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<LogView, Error>> + Send + 'static,
    {
        let (mut grew, mut pause) = (Instant::now(), POLL);
        loop {
            tokio::time::sleep(pause).await;
            {
                // Under the lock, so that no follower subscribes to a feed that has just ended.
                let mut feeds = self.lock();
                if sender.receiver_count() == 0 {
                    feeds.remove(&log);
                    return;
                }
            }
            // If reading fails, the feed ends, and each follower gets the error from its own read.
            let Ok(piece) = read(offset, None).await else { break };
            offset = piece.next_offset;
            pause = match piece.text.len() {
                0 => (grew.elapsed() / QUIET).clamp(POLL, POLL_RARELY),
                LONG_PIECE.. => Duration::ZERO,
                _ => POLL,
            };
            let has_ended = piece.ended;
            if !piece.text.is_empty() {
                grew = Instant::now();
            }
            if !piece.text.is_empty() || has_ended {
                sender.send_replace(Some(Arc::new(piece)));
            }
            if has_ended {
                break;
            }
        }
        self.lock().remove(&log);
    }
}

impl<R, F> Follower<R>
where
    R: Fn(u64, Option<u32>) -> F + Send + Sync + 'static,
    F: Future<Output = Result<LogView, Error>> + Send + 'static,
{
    /// Follows a log after a piece of it.
    pub(crate) fn after(
        piece: &LogView,
        feeds: Feeds,
        log: LogKey,
        limit: Option<u32>,
        read: R,
    ) -> Self {
        let (offset, is_behind) = (piece.next_offset, !piece.text.is_empty());
        Self { feeds, log, read: Arc::new(read), limit, offset, is_behind, feed: None }
    }

    /// The next piece, which has text or ends the log.
    ///
    /// # Errors
    ///
    /// Fails if the log cannot be read.
    pub(crate) async fn next(&mut self) -> Result<LogView, Error> {
        loop {
            if self.is_behind {
                if let Some(feed) = &mut self.feed {
                    feed.mark_unchanged();
                }
                let piece = (self.read)(self.offset, self.limit).await?;
                self.offset = piece.next_offset;
                if !piece.text.is_empty() || piece.ended {
                    return Ok(piece);
                }
                self.is_behind = false;
            }
            let Some(feed) = &mut self.feed else {
                let feed = self.feeds.subscribe(self.log, self.offset, &self.read);
                let found = feed.borrow().as_ref().map_or(0, |latest| latest.next_offset);
                self.is_behind = found > self.offset;
                self.feed = Some(feed);
                continue;
            };
            if feed.changed().await.is_err() {
                self.feed = None;
                self.is_behind = true;
                continue;
            }
            let latest = feed.borrow_and_update().clone();
            let fits = |piece: &Arc<LogView>| {
                piece.offset == self.offset
                    && self.limit.is_none_or(|limit| piece.text.len() <= limit as usize)
            };
            match latest.filter(fits) {
                Some(piece) => {
                    self.offset = piece.next_offset;
                    return Ok(Arc::unwrap_or_clone(piece));
                }
                None => self.is_behind = true,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures_util::future::join_all;

    use super::*;

    const LOG: LogKey = LogKey { task: 7, shard: 0, attempt: 1 };

    /// A log that grows, and how often it was read.
    #[derive(Clone, Default)]
    struct Fake {
        text: Arc<Mutex<(String, bool)>>,
        reads: Arc<AtomicUsize>,
    }

    impl Fake {
        fn write(&self, text: &str) {
            self.text.lock().unwrap().0.push_str(text);
        }

        fn end(&self) {
            self.text.lock().unwrap().1 = true;
        }

        fn reads(&self) -> usize {
            self.reads.load(Ordering::Relaxed)
        }

        fn read(
            &self,
            offset: u64,
            limit: Option<u32>,
        ) -> impl Future<Output = Result<LogView, Error>> + Send + use<> {
            self.reads.fetch_add(1, Ordering::Relaxed);
            let (all, has_ended) = self.text.lock().unwrap().clone();
            let from = offset as usize;
            let to = (from + limit.unwrap_or(1_000_000) as usize).min(all.len());
            let (text, source) = (all[from..to].to_owned(), "executor".to_owned());
            let (attempt, number, shard, shards) = (9, 1, 0, 1);
            let (next_offset, ended) = (to as u64, has_ended && to == all.len());
            let piece = LogView {
                attempt,
                number,
                shard,
                shards,
                offset,
                next_offset,
                text,
                ended,
                source,
                note: None,
            };
            async { Ok(piece) }
        }

        /// Follows the log from its beginning to its end.
        async fn text_to_the_end(self, feeds: Feeds, limit: Option<u32>) -> String {
            let piece = self.read(0, Some(0)).await.unwrap();
            let fake = self.clone();
            let mut follower = Follower::after(&piece, feeds, LOG, limit, move |offset, limit| {
                fake.read(offset, limit)
            });
            follower.is_behind = true;
            let mut text = String::new();
            loop {
                let piece = follower.next().await.unwrap();
                text.push_str(&piece.text);
                if piece.ended {
                    return text;
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn thousands_of_followers_of_a_quiet_log_cost_one_poll() {
        let (fake, feeds) = (Fake::default(), Feeds::default());
        fake.write("first");
        let followers: Vec<_> = (0..2_000)
            .map(|_| tokio::spawn(fake.clone().text_to_the_end(feeds.clone(), None)))
            .collect();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let before = fake.reads();
        tokio::time::sleep(Duration::from_secs(60)).await;
        let polls = fake.reads() - before;
        assert!((19..=21).contains(&polls), "{polls} polls in a minute");
        fake.write(" second");
        tokio::time::sleep(POLL_RARELY + POLL).await;
        fake.write(" third");
        fake.end();
        for text in join_all(followers).await {
            assert_eq!(text.unwrap(), "first second third");
        }
        let reads = fake.reads() - before - polls;
        assert!(reads < 50, "{reads} reads for all followers together");
        tokio::time::sleep(POLL_RARELY).await;
        assert!(feeds.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_follower_that_is_late_or_reads_small_pieces_misses_nothing() {
        let (fake, feeds) = (Fake::default(), Feeds::default());
        let mut followers = Vec::new();
        for n in 0..100 {
            let limit = [None, Some(3), Some(50)][n % 3];
            followers.push(tokio::spawn(fake.clone().text_to_the_end(feeds.clone(), limit)));
            tokio::time::sleep(Duration::from_millis(n as u64 * 13 % 800)).await;
            fake.write(&format!("line {n}\n"));
        }
        fake.end();
        let all = fake.text.lock().unwrap().0.clone();
        for text in join_all(followers).await {
            assert_eq!(text.unwrap(), all);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_log_without_followers_is_not_polled() {
        let (fake, feeds) = (Fake::default(), Feeds::default());
        let follower = tokio::spawn(fake.clone().text_to_the_end(feeds.clone(), None));
        tokio::time::sleep(Duration::from_secs(5)).await;
        follower.abort();
        tokio::time::sleep(POLL_RARELY).await;
        let before = fake.reads();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(fake.reads(), before);
        assert!(feeds.lock().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn when_a_log_becomes_unreadable_each_follower_gets_an_error() {
        let (feeds, gone) = (Feeds::default(), Arc::new(std::sync::atomic::AtomicBool::default()));
        let fake = Fake::default();
        let mut followers = Vec::new();
        for _ in 0..3 {
            let (fake, gone) = (fake.clone(), Arc::clone(&gone));
            let piece = fake.read(0, None).await.unwrap();
            let mut follower =
                Follower::after(&piece, feeds.clone(), LOG, None, move |offset, limit| {
                    let (gone, piece) = (Arc::clone(&gone), fake.read(offset, limit));
                    async move {
                        if gone.load(Ordering::Relaxed) {
                            return Err(Error::Unavailable("it is gone".to_owned()));
                        }
                        piece.await
                    }
                });
            followers.push(tokio::spawn(async move { follower.next().await }));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        gone.store(true, Ordering::Relaxed);
        for follower in followers {
            let err = follower.await.unwrap().unwrap_err();
            assert_eq!(err.to_string(), "it is gone");
        }
    }
}
