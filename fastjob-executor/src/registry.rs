//! The handlers that an executor hosts, and their default jobs.
//!
//! `#[job]` adds a [`Declaration`] to the program. [`Registry::collect`] finds all declarations,
//! adds the handlers that were registered by value, and checks the default jobs against the rules
//! of `fastjob-core`. Any problem stops the executor's start, so it never runs with a missing
//! handler or with two handlers of the same name.

#[doc(hidden)]
#[path = "registry/private.rs"]
pub mod __private;

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    panic::Location,
    sync::Arc,
};

use fastjob_core::{HandlerName, InvalidJob, InvalidName, Job, JobDraft, JobHandler, ServiceName};

/// What `#[job]` declares about one handler.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The name of the handler and of its default job.
    pub name: &'static str,
    /// A description for users; may be empty.
    pub description: &'static str,
    /// The only service that hosts it, or `None` for any service.
    pub service: Option<&'static str>,
    /// The default job, as the annotation declares it.
    pub draft: fn() -> JobDraft,
    /// Creates the handler; `None` for a stateful handler, which the program must create.
    pub make: Option<fn() -> Arc<dyn JobHandler>>,
    /// The annotated item, for messages.
    pub path: &'static str,
    /// The annotation, for messages.
    pub place: &'static Location<'static>,
}

inventory::collect!(Declaration);

/// A handler that was annotated with `#[job]`, which implements this.
pub trait Declared {
    /// The annotation's contents.
    const DECLARATION: Declaration;
}

/// A handler that is registered by value.
pub struct Registration {
    name: Cow<'static, str>,
    handler: Arc<dyn JobHandler>,
    declaration: Option<Declaration>,
    place: &'static Location<'static>,
}

impl Registration {
    /// An annotated handler, with its name and its default job.
    #[track_caller]
    pub fn declared<H: JobHandler + Declared>(handler: H) -> Self {
        Self {
            name: Cow::Borrowed(H::DECLARATION.name),
            handler: Arc::new(handler),
            declaration: Some(H::DECLARATION),
            place: Location::caller(),
        }
    }

    /// A handler without annotation, and so without a default job.
    #[track_caller]
    pub fn named(name: impl Into<String>, handler: impl JobHandler) -> Self {
        Self {
            name: Cow::Owned(name.into()),
            handler: Arc::new(handler),
            declaration: None,
            place: Location::caller(),
        }
    }
}

/// Whether annotated handlers without state are discovered automatically.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// Hosts every such handler in the program that belongs to the service.
    #[default]
    On,
    /// Hosts only what is registered by value, for several executors in one process.
    Off,
}

/// Why the handlers of a program cannot be hosted together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// Two handlers have the same name.
    #[error("two handlers are named `{name}`: one at {first}, the other at {second}")]
    Duplicate {
        /// Their name.
        name: String,
        /// `file:line:column`, or `fastjob (built in)`.
        first: String,
        /// Likewise.
        second: String,
    },
    /// The name that a handler was registered with is invalid.
    #[error("a handler cannot be named `{name}`")]
    InvalidName {
        /// The invalid name.
        name: String,
        /// The cause.
        source: InvalidName,
    },
    /// The default job of a handler is invalid.
    #[error("the default job of handler `{handler}` ({place}) cannot be registered")]
    InvalidJob {
        /// The handler.
        handler: String,
        /// Its annotation, `file:line:column`.
        place: String,
        /// All problems of the job.
        source: InvalidJob,
    },
    /// A handler that belongs to another service was registered by value.
    #[error("handler `{name}` belongs to service `{wanted}`, this executor to `{service}`")]
    OtherService {
        /// The handler.
        name: String,
        /// The service that its annotation names.
        wanted: &'static str,
        /// The executor's.
        service: ServiceName,
    },
}

struct Hosted {
    handler: Arc<dyn JobHandler>,
    description: Cow<'static, str>,
    place: String,
}

/// The handlers of one executor, by name.
#[derive(Default)]
pub struct Registry {
    hosted: BTreeMap<String, Hosted>,
    drafts: Vec<JobDraft>,
    unregistered: Vec<&'static str>,
}

impl Registry {
    /// Finds the handlers of `service`, adds `values`, and checks their default jobs.
    ///
    /// A value replaces the discovered handler of the same type.
    ///
    /// # Errors
    ///
    /// Fails with the first [`RegistryError`]; always the same one for the same program.
    pub fn collect(
        service: &ServiceName,
        discovery: Discovery,
        values: Vec<Registration>,
    ) -> Result<Self, RegistryError> {
        let found = match discovery {
            Discovery::On => found(service),
            Discovery::Off => Vec::new(),
        };
        let mut by_value = BTreeSet::new();
        let mut registry = Self::default();
        for value in values {
            if let Some(declaration) = &value.declaration {
                by_value.insert((declaration.path, declaration.place));
                let wanted = declaration.service.filter(|wanted| *wanted != service.as_str());
                if let Some(wanted) = wanted {
                    let (name, service) = (value.name.into_owned(), service.clone());
                    return Err(RegistryError::OtherService { name, wanted, service });
                }
            }
            let description = value.declaration.map_or("", |declaration| declaration.description);
            registry.add(
                &value.name,
                description.into(),
                value.handler,
                value.place.to_string(),
            )?;
            if let Some(declaration) = &value.declaration {
                registry.add_draft(service, declaration)?;
            }
        }
        let mut stateful = BTreeSet::new();
        for declaration in found {
            if by_value.contains(&(declaration.path, declaration.place)) {
                continue;
            }
            let Some(make) = declaration.make else {
                stateful.insert(declaration.name);
                continue;
            };
            let place = declaration.place.to_string();
            registry.add(declaration.name, declaration.description.into(), make(), place)?;
            registry.add_draft(service, declaration)?;
        }
        registry.drafts.sort_by(|a, b| a.name.cmp(&b.name));
        stateful.retain(|name| !registry.hosted.contains_key(*name));
        registry.unregistered = stateful.into_iter().collect();
        Ok(registry)
    }

    /// Adds a built-in handler, without a default job.
    ///
    /// # Errors
    ///
    /// Fails with [`RegistryError::Duplicate`] if the program has a handler of that name.
    pub fn add_builtin(
        &mut self,
        name: &'static str,
        description: &'static str,
        handler: impl JobHandler,
    ) -> Result<(), RegistryError> {
        let place = "fastjob (built in)".to_owned();
        self.add(name, description.into(), Arc::new(handler), place)
    }

    /// The handler of that name.
    pub fn get(&self, name: &str) -> Option<&Arc<dyn JobHandler>> {
        self.hosted.get(name).map(|hosted| &hosted.handler)
    }

    /// The name and the description of every handler, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hosted.iter().map(|(name, hosted)| (name.as_str(), &*hosted.description))
    }

    /// The default jobs of the service, sorted by name. Each makes a valid [`Job`].
    pub fn drafts(&self) -> &[JobDraft] {
        &self.drafts
    }

    /// The names of annotated stateful handlers that were not registered by value.
    pub fn unregistered(&self) -> &[&'static str] {
        &self.unregistered
    }

    fn add(
        &mut self,
        name: &str,
        description: Cow<'static, str>,
        handler: Arc<dyn JobHandler>,
        place: String,
    ) -> Result<(), RegistryError> {
        let name = name.to_owned();
        if let Err(source) = name.parse::<HandlerName>() {
            return Err(RegistryError::InvalidName { name, source });
        }
        match self.hosted.entry(name) {
            Entry::Vacant(free) => {
                free.insert(Hosted { handler, description, place });
                Ok(())
            }
            Entry::Occupied(taken) => Err(RegistryError::Duplicate {
                name: taken.key().clone(),
                first: taken.get().place.clone(),
                second: place,
            }),
        }
    }

    fn add_draft(
        &mut self,
        service: &ServiceName,
        declaration: &Declaration,
    ) -> Result<(), RegistryError> {
        let mut draft = (declaration.draft)();
        draft.service = Some(service.to_string());
        match Job::try_from(draft.clone()) {
            Ok(_) => {
                self.drafts.push(draft);
                Ok(())
            }
            Err(source) => Err(RegistryError::InvalidJob {
                handler: declaration.name.to_owned(),
                place: declaration.place.to_string(),
                source,
            }),
        }
    }
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// The declarations for `service`, in an order that does not depend on the linker.
fn found(service: &ServiceName) -> Vec<&'static Declaration> {
    let mut found = Vec::new();
    for declaration in inventory::iter::<Declaration>() {
        match declaration.service {
            Some(wanted) if wanted != service.as_str() => tracing::debug!(
                handler = declaration.name,
                service = wanted,
                "skipped a handler of another service"
            ),
            None | Some(_) => found.push(declaration),
        }
    }
    found.sort_by_key(|declaration| (declaration.place, declaration.path));
    found
}
