//! Which handlers an executor hosts, and the jobs that they bring along.
//!
//! `#[job]` leaves a [`Declaration`] in the program. [`Registry::collect`] finds those, adds the
//! handlers that were registered by value, and judges the default jobs by the rules of
//! `fastjob-core`. Whatever is wrong ends the start of the executor: it never runs with a handler
//! missing or with one of two that share a name.

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

/// What `#[job]` says of one handler.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The name of the handler and of its default job.
    pub name: &'static str,
    /// For people; empty if there is none.
    pub description: &'static str,
    /// The one service that hosts it; any if there is none.
    pub service: Option<&'static str>,
    /// The default job, as the annotation has it.
    pub draft: fn() -> JobDraft,
    /// Makes the handler; `None` if it has state, which only the program can give it.
    pub make: Option<fn() -> Arc<dyn JobHandler>>,
    /// The annotated item, for messages.
    pub path: &'static str,
    /// The annotation, for messages.
    pub place: &'static Location<'static>,
}

inventory::collect!(Declaration);

/// A handler that was annotated with `#[job]`, which implements this.
pub trait Declared {
    /// What the annotation says.
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

/// Whether annotated handlers without state are found by themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// Every one in the program that belongs to the service is hosted.
    #[default]
    On,
    /// Only what is registered by value is hosted: for several executors in one process.
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
    /// The name that a handler was registered by is none.
    #[error("a handler cannot be named `{name}`")]
    InvalidName {
        /// What it was to be named.
        name: String,
        /// What is wrong with it.
        source: InvalidName,
    },
    /// The default job of a handler breaks the rules.
    #[error("the default job of handler `{handler}` ({place}) cannot be registered")]
    InvalidJob {
        /// The handler.
        handler: String,
        /// Its annotation, `file:line:column`.
        place: String,
        /// All that is wrong with the job.
        source: InvalidJob,
    },
    /// A handler was registered by value with an executor of a service that it is not for.
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
    /// Finds the handlers of `service`, adds `values`, and judges their default jobs.
    ///
    /// A value of a type that would have been found replaces the one that would have been made.
    ///
    /// # Errors
    ///
    /// Fails with the first [`RegistryError`]; the same one for the same program.
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

    /// Adds a handler that comes with FastJob, without a default job.
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

    /// The name and the description of every handler, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hosted.iter().map(|(name, hosted)| (name.as_str(), &*hosted.description))
    }

    /// The default jobs of the service, by name. Each makes a valid [`Job`].
    pub fn drafts(&self) -> &[JobDraft] {
        &self.drafts
    }

    /// The names of annotated handlers that have state, and for which there is no value.
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

/// The declarations for `service`, in an order that does not hang on the linker.
fn found(service: &ServiceName) -> Vec<&'static Declaration> {
    let mut found = Vec::new();
    for declaration in inventory::iter::<Declaration>() {
        match declaration.service {
            Some(wanted) if wanted != service.as_str() => tracing::debug!(
                handler = declaration.name,
                service = wanted,
                "left out a handler of another service"
            ),
            None | Some(_) => found.push(declaration),
        }
    }
    found.sort_by_key(|declaration| (declaration.place, declaration.path));
    found
}
