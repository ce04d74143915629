//! The handlers of the executors that have a session with this node, and the JSON schemas of their
//! params.
//!
//! Executors of one service usually send the same schemas, so each different one is kept once. A
//! handler whose executors are all gone keeps its last schema, as long as there is room. What has no
//! room is not checked.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use fastjob_core::{
    HandlerName, ServiceName,
    wire::{SCHEMAS_MAX, v1},
};
use fastjob_engine::{Connected, SessionId};
use sha2::{Digest as _, Sha256};

use crate::schema::{Misfit, Schema, Unreadable};

/// Maximum bytes of all different schemas.
const BYTES: usize = 32 * 1024 * 1024;
/// Maximum number of handlers without an executor whose last schema is kept.
const LAST: usize = 2_000;

/// A handler of a service.
pub(crate) type Key = (ServiceName, HandlerName);

type Digest = [u8; 32];

/// What this node knows of handlers. Cheap to clone: all copies are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handlers(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    known: Mutex<Known>,
    /// The number of different schemas, so that nothing is looked up while there are none.
    count: AtomicUsize,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<SessionId, Session>,
    handlers: HashMap<Key, Handler>,
    /// The services of handlers that have schemas, and some whose handlers had one.
    services: HashSet<ServiceName>,
    schemas: HashMap<Digest, Arc<Kept>>,
    bytes: usize,
    /// Handlers without an executor that have a last schema, the oldest first.
    last: BTreeMap<u64, Key>,
    next: u64,
}

#[derive(Debug)]
struct Session {
    executor: Arc<Connected>,
    schemas: HashMap<HandlerName, Arc<Kept>>,
}

#[derive(Debug, Default)]
struct Handler {
    /// How many sessions have it.
    sessions: usize,
    /// The schemas that these have sent, with how many sent each.
    schemas: Vec<(Arc<Kept>, usize)>,
    /// Of a handler without sessions: its number in the order, and its last schema.
    last: Option<(u64, Arc<Kept>)>,
}

/// A schema, kept once for all executors that sent it.
#[derive(Debug)]
pub(crate) struct Kept {
    digest: Digest,
    pub(crate) text: Box<str>,
    schema: Schema,
}

/// Why a schema of an executor is ignored.
#[derive(Debug, thiserror::Error)]
enum Ignored {
    #[error("the executor has no such handler")]
    NoHandler,
    #[error("the schemas of one executor have more than {SCHEMAS_MAX} bytes")]
    TooMany,
    #[error("the different schemas of all executors have more than {BYTES} bytes")]
    Full,
    #[error("it cannot be read: {}", fastjob_core::error::chain(.0))]
    Unreadable(#[from] Unreadable),
}

impl Handlers {
    /// A session has begun.
    pub(crate) fn opened(&self, executor: &Arc<Connected>) {
        let mut known = self.lock();
        for handler in executor.handlers.keys() {
            known.add(&(executor.service.clone(), handler.clone()));
        }
        let session = Session { executor: Arc::clone(executor), schemas: HashMap::new() };
        known.sessions.insert(executor.session, session);
    }

    /// The executor of a session has sent the schemas of its handlers.
    pub(crate) fn registered(&self, id: SessionId, schemas: Vec<v1::HandlerSchema>) {
        let mut room = SCHEMAS_MAX;
        let mut ignored = Vec::new();
        for v1::HandlerSchema { handler, schema } in schemas {
            let kept = match room.checked_sub(schema.len()) {
                Some(left) => {
                    room = left;
                    self.register(id, &handler, &schema)
                }
                None => Err(Ignored::TooMany),
            };
            if let Err(why) = kept {
                ignored.push((handler, why));
            }
        }
        let mut known = self.lock();
        // Those that another message of the session has replaced.
        known.sweep();
        self.count(&mut known);
        drop(known);
        if let Some((handler, why)) = ignored.first() {
            tracing::warn!(session = id.0, handler, %why, count = ignored.len(),
                "JSON schemas of an executor are ignored: params of these handlers are not checked");
        }
    }

    fn register(&self, id: SessionId, handler: &str, text: &str) -> Result<(), Ignored> {
        let handler: HandlerName = handler.parse().map_err(|_| Ignored::NoHandler)?;
        let digest: Digest = Sha256::digest(text.as_bytes()).into();
        let known = self.lock().schemas.get(&digest).map(Arc::clone);
        let kept = match known {
            Some(kept) => kept,
            // Read without the lock.
            None => {
                let schema = Schema::read(text)?;
                if !schema.is_supported() {
                    tracing::info!(session = id.0, %handler,
                        "the JSON schema of a handler has keywords that the coordinator does not \
                         support: it checks the others");
                }
                Arc::new(Kept { digest, text: text.into(), schema })
            }
        };
        self.lock().register(id, handler, kept)
    }

    /// A session has ended.
    pub(crate) fn closed(&self, id: SessionId) {
        let mut known = self.lock();
        let Some(session) = known.sessions.remove(&id) else { return };
        let service = &session.executor.service;
        for handler in session.executor.handlers.keys() {
            let schema = session.schemas.get(handler);
            known.remove(&(service.clone(), handler.clone()), schema);
        }
        drop(session);
        known.sweep();
        self.count(&mut known);
    }

    /// Whether any schema is known.
    pub(crate) fn have_schemas(&self) -> bool {
        self.0.count.load(Ordering::Relaxed) > 0
    }

    /// Whether a handler of this service may have a schema. If not, none has.
    pub(crate) fn may_have_schemas(&self, service: &ServiceName) -> bool {
        self.have_schemas() && self.lock().services.contains(service)
    }

    /// The schemas of a handler: a param has to fit one of them. None, if one of its executors has
    /// sent none, because that executor may accept every param.
    pub(crate) fn schemas(&self, key: &Key) -> Vec<Arc<Kept>> {
        let known = self.lock();
        let Some(handler) = known.handlers.get(key) else { return Vec::new() };
        if handler.sessions == 0 {
            return handler.last.iter().map(|(_, kept)| Arc::clone(kept)).collect();
        }
        let with: usize = handler.schemas.iter().map(|(_, count)| count).sum();
        match with < handler.sessions {
            true => Vec::new(),
            false => handler.schemas.iter().map(|(kept, _)| Arc::clone(kept)).collect(),
        }
    }

    /// The schema that most executors of a handler have sent, or its last one.
    pub(crate) fn schema(&self, key: &Key) -> Option<Arc<Kept>> {
        let known = self.lock();
        let handler = known.handlers.get(key)?;
        let most = handler.schemas.iter().max_by_key(|(_, count)| *count).map(|(kept, _)| kept);
        most.or(handler.last.as_ref().map(|(_, kept)| kept)).map(Arc::clone)
    }

    fn count(&self, known: &mut Known) {
        known.forget_services();
        self.0.count.store(known.schemas.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    /// Checks a param.
    ///
    /// # Errors
    ///
    /// Fails with what does not fit.
    pub(crate) fn check(&self, param: Option<&str>) -> Result<(), Vec<Misfit>> {
        self.schema.check(param)
    }
}

impl Known {
    /// Adds a session of a handler.
    fn add(&mut self, key: &Key) {
        let handler = self.handlers.entry(key.clone()).or_default();
        handler.sessions += 1;
        if let Some((number, _)) = handler.last.take() {
            self.last.remove(&number);
        }
    }

    fn register(
        &mut self,
        id: SessionId,
        name: HandlerName,
        kept: Arc<Kept>,
    ) -> Result<(), Ignored> {
        let session = self.sessions.get(&id).ok_or(Ignored::NoHandler)?;
        if !session.executor.handlers.contains_key(&name) {
            return Err(Ignored::NoHandler);
        }
        let key = (session.executor.service.clone(), name.clone());
        let kept = self.keep(kept)?;
        let session = self.sessions.get_mut(&id).ok_or(Ignored::NoHandler)?;
        let before = session.schemas.insert(name, Arc::clone(&kept));
        if !self.services.contains(&key.0) {
            self.services.insert(key.0.clone());
        }
        if let Some(handler) = self.handlers.get_mut(&key) {
            if let Some(before) = before {
                handler.drop_one(&before);
            }
            match handler.schemas.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &kept)) {
                Some((_, count)) => *count += 1,
                None => handler.schemas.push((kept, 1)),
            }
        }
        Ok(())
    }

    /// Keeps a schema, or returns the equal one that is kept. Handlers that are gone make room.
    fn keep(&mut self, kept: Arc<Kept>) -> Result<Arc<Kept>, Ignored> {
        // The same text may have been read twice at the same time.
        if let Some(known) = self.schemas.get(&kept.digest) {
            return Ok(Arc::clone(known));
        }
        while self.bytes + kept.text.len() > BYTES {
            let (_, oldest) = self.last.pop_first().ok_or(Ignored::Full)?;
            self.handlers.remove(&oldest);
            self.sweep();
        }
        self.bytes += kept.text.len();
        self.schemas.insert(kept.digest, Arc::clone(&kept));
        Ok(kept)
    }

    /// Removes a session of a handler.
    fn remove(&mut self, key: &Key, schema: Option<&Arc<Kept>>) {
        let Some(handler) = self.handlers.get_mut(key) else { return };
        handler.sessions = handler.sessions.saturating_sub(1);
        if let Some(schema) = schema {
            handler.drop_one(schema);
        }
        if handler.sessions > 0 {
            return;
        }
        let Some(schema) = schema else {
            self.handlers.remove(key);
            return;
        };
        handler.last = Some((self.next, Arc::clone(schema)));
        self.last.insert(self.next, key.clone());
        self.next += 1;
        if self.last.len() > LAST
            && let Some((_, oldest)) = self.last.pop_first()
        {
            self.handlers.remove(&oldest);
        }
    }

    /// Forgets the services without schemas, once there are so many that there must be some.
    fn forget_services(&mut self) {
        if self.services.len() <= self.handlers.len() {
            return;
        }
        let has_schema = |handler: &Handler| handler.last.is_some() || !handler.schemas.is_empty();
        let with = self.handlers.iter().filter(|(_, handler)| has_schema(handler));
        let with: HashSet<_> = with.map(|((service, _), _)| service).collect();
        self.services.retain(|service| with.contains(service));
    }

    /// Forgets the schemas that no handler has any longer.
    fn sweep(&mut self) {
        let bytes = &mut self.bytes;
        self.schemas.retain(|_, kept| {
            let is_used = Arc::strong_count(kept) > 1;
            if !is_used {
                *bytes -= kept.text.len();
            }
            is_used
        });
    }
}

impl Handler {
    fn drop_one(&mut self, schema: &Arc<Kept>) {
        if let Some(at) = self.schemas.iter().position(|(known, _)| Arc::ptr_eq(known, schema)) {
            self.schemas[at].1 -= 1;
            if self.schemas[at].1 == 0 {
                self.schemas.swap_remove(at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
