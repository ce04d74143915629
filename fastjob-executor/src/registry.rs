//! The handlers that an executor hosts, and their default jobs.
//!
//! `#[job]` adds a [`Declaration`] to the program. [`Registry::collect`] finds all declarations,
//! adds the handlers that were registered by value, and checks the default jobs against the rules
//! of `fastjob-core`. Any problem stops the executor's start, so it never runs with a missing
//! handler or with two handlers of the same name.

mod error;

use std::{
    any::TypeId,
    borrow::Cow,
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    panic::Location,
    sync::Arc,
};

use fastjob_core::{
    HandlerName, Job, JobDraft, ServiceName,
    wire::{SCHEMA_MAX, SCHEMAS_MAX},
};

pub use self::error::RegistryError;
use crate::{
    __private::Make,
    handler::DynHandler,
    middleware::{self, Layers},
    registration::{Registration, What},
    state::{MissingState, States},
};

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
    pub make: Option<Make>,
    /// The type of an `async fn`, by which a function registered by value finds its declaration.
    pub function: Option<fn() -> TypeId>,
    /// The JSON schema of the param, if its type has one.
    pub schema: fn() -> Option<String>,
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

/// Whether annotated handlers without state are discovered automatically.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discovery {
    /// Hosts every such handler in the program that belongs to the service.
    #[default]
    On,
    /// Hosts only what is registered by value, for several executors in one process.
    Off,
}

struct Hosted {
    handler: Arc<dyn DynHandler>,
    description: Cow<'static, str>,
    schema: Option<String>,
    place: String,
}

/// The handlers of one executor, by name.
#[derive(Default)]
pub(crate) struct Registry {
    hosted: BTreeMap<String, Hosted>,
    drafts: Vec<JobDraft>,
    unregistered: Vec<&'static str>,
}

impl Registry {
    /// Finds the handlers of `service`, adds `values`, and checks their default jobs. Functions get
    /// their arguments from `states`.
    ///
    /// A value replaces the discovered handler of the same type.
    ///
    /// # Errors
    ///
    /// Fails with the first [`RegistryError`]; always the same one for the same program.
    pub(crate) fn collect(
        service: &ServiceName,
        discovery: Discovery,
        values: Vec<Registration>,
        states: &States,
    ) -> Result<Self, RegistryError> {
        if let Some(state) = states.doubled() {
            return Err(RegistryError::DuplicateState { state });
        }
        let found = match discovery {
            Discovery::On => found(service),
            Discovery::Off => Vec::new(),
        };
        let mut by_value = BTreeSet::new();
        let mut registry = Self::default();
        for Registration { what, place } in values {
            let place = place.to_string();
            let declared = match what {
                What::Declared { handler, declaration } => vec![(handler, *declaration)],
                What::Named { name, handler } => {
                    registry.add(&name, "".into(), None, handler, place)?;
                    continue;
                }
                What::Function { item, path } => {
                    let declared = function(item);
                    if declared.is_empty() {
                        return Err(RegistryError::NotAJob { path, place });
                    }
                    made(declared, service, states)?
                }
            };
            for (handler, declaration) in declared {
                belongs(&declaration, service)?;
                by_value.insert((declaration.path, declaration.place));
                let Declaration { name, description, schema, .. } = declaration;
                registry.add(name, description.into(), schema(), handler, place.clone())?;
                registry.add_draft(service, &declaration)?;
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
            let handler = create(declaration, make, states)?;
            let Declaration { name, description, schema, .. } = *declaration;
            let place = declaration.place.to_string();
            registry.add(name, description.into(), schema(), handler, place)?;
            registry.add_draft(service, declaration)?;
        }
        registry.drafts.sort_by(|a, b| a.name.cmp(&b.name));
        stateful.retain(|name| !registry.hosted.contains_key(*name));
        registry.unregistered = stateful.into_iter().collect();
        registry.bound_schemas();
        Ok(registry)
    }

    /// Adds a built-in handler, without a default job.
    ///
    /// # Errors
    ///
    /// Fails with [`RegistryError::Duplicate`] if the program has a handler of that name.
    pub(crate) fn add_builtin(
        &mut self,
        name: &'static str,
        description: &'static str,
        handler: Arc<dyn DynHandler>,
    ) -> Result<(), RegistryError> {
        let place = "fastjob (built in)".to_owned();
        self.add(name, description.into(), None, handler, place)
    }

    /// Puts middleware around every handler.
    pub(crate) fn wrap(&mut self, layers: &Layers) {
        for hosted in self.hosted.values_mut() {
            hosted.handler = middleware::around(Arc::clone(&hosted.handler), layers);
        }
    }

    /// The handler of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&Arc<dyn DynHandler>> {
        self.hosted.get(name).map(|hosted| &hosted.handler)
    }

    /// The name and the description of every handler, sorted by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.hosted.iter().map(|(name, hosted)| (name.as_str(), &*hosted.description))
    }

    /// The handlers whose params have a JSON schema, with the schema, sorted by name.
    pub(crate) fn schemas(&self) -> impl Iterator<Item = (&str, &str)> {
        let hosted = self.hosted.iter();
        hosted.filter_map(|(name, hosted)| Some((name.as_str(), hosted.schema.as_deref()?)))
    }

    /// Leaves out the schemas for which the protocol has no room.
    fn bound_schemas(&mut self) {
        let mut room = SCHEMAS_MAX;
        for (name, hosted) in &mut self.hosted {
            let Some(bytes) = hosted.schema.as_ref().map(String::len) else { continue };
            match room.checked_sub(bytes).filter(|_| bytes <= SCHEMA_MAX) {
                Some(left) => room = left,
                None => {
                    tracing::warn!(
                        handler = name,
                        bytes,
                        most = SCHEMA_MAX,
                        all = SCHEMAS_MAX,
                        "the JSON schema of this handler's param is not sent, it is too large: its \
                         params are not checked before they are dispatched"
                    );
                    hosted.schema = None;
                }
            }
        }
    }

    /// The default jobs of the service, sorted by name. Each makes a valid [`Job`].
    pub(crate) fn drafts(&self) -> &[JobDraft] {
        &self.drafts
    }

    /// The names of annotated stateful handlers that were not registered by value.
    pub(crate) fn unregistered(&self) -> &[&'static str] {
        &self.unregistered
    }

    fn add(
        &mut self,
        name: &str,
        description: Cow<'static, str>,
        schema: Option<String>,
        handler: Arc<dyn DynHandler>,
        place: String,
    ) -> Result<(), RegistryError> {
        let name = name.to_owned();
        if let Err(source) = name.parse::<HandlerName>() {
            return Err(RegistryError::InvalidName { name, source });
        }
        match self.hosted.entry(name) {
            Entry::Vacant(free) => {
                free.insert(Hosted { handler, description, schema, place });
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

/// The declarations of a function, which may have several attributes.
fn function(item: TypeId) -> Vec<&'static Declaration> {
    let all = inventory::iter::<Declaration>();
    let is_it = |one: &&Declaration| one.function.is_some_and(|function| function() == item);
    let mut found: Vec<_> = all.filter(is_it).collect();
    found.sort_by_key(|declaration| declaration.place);
    found
}

/// A handler with its declaration.
type Made = (Arc<dyn DynHandler>, Declaration);

/// The handlers of a function that belong to the service: at least one.
fn made(
    declared: Vec<&'static Declaration>,
    service: &ServiceName,
    states: &States,
) -> Result<Vec<Made>, RegistryError> {
    let (mut made, mut elsewhere) = (Vec::new(), Ok(()));
    for declaration in declared {
        match (belongs(declaration, service), declaration.make) {
            (Ok(()), Some(make)) => made.push((create(declaration, make, states)?, *declaration)),
            (other, _) => elsewhere = elsewhere.and(other),
        }
    }
    if made.is_empty() { elsewhere.map(|()| made) } else { Ok(made) }
}

/// Whether a handler belongs to the service of the executor.
fn belongs(declaration: &Declaration, service: &ServiceName) -> Result<(), RegistryError> {
    match declaration.service {
        Some(wanted) if wanted != service.as_str() => {
            let (name, service) = (declaration.name.to_owned(), service.clone());
            Err(RegistryError::OtherService { name, wanted, service })
        }
        None | Some(_) => Ok(()),
    }
}

fn create(
    declaration: &Declaration,
    make: Make,
    states: &States,
) -> Result<Arc<dyn DynHandler>, RegistryError> {
    make(states).map_err(|MissingState(state)| {
        let handler = declaration.name.to_owned();
        RegistryError::MissingState { handler, state, given: states.names() }
    })
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

#[cfg(test)]
mod tests;
