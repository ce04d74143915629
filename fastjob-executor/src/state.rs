//! What a service provides to its `async fn` handlers: values by type.

use std::{
    any::{Any, TypeId, type_name},
    collections::HashMap,
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// An argument of an `async fn` handler: a value that the service passed to
/// [`Builder::state`](crate::Builder::state), such as a pool of connections or a client.
///
/// It dereferences to the value. A clone is cheap: all share the value.
///
/// ```
/// use fastjob_executor::prelude::*;
///
/// struct Db {
///     rows: Vec<u32>,
/// }
///
/// #[job("report")]
/// async fn report(ctx: &JobContext, db: State<Db>, above: u32) -> Result<usize, JobError> {
///     ctx.log("counting");
///     Ok(db.rows.iter().filter(|row| **row > above).count())
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// // A test passes the value itself.
/// let ctx = JobContext::for_test().build();
/// assert_eq!(report(&ctx, State::new(Db { rows: vec![1, 5, 9] }), 3).await.unwrap(), 2);
/// # }
/// ```
///
/// As with `axum`, the argument can be taken apart: with `State(db): State<Db>`, `db` is an `Arc<Db>`.
pub struct State<T: ?Sized>(pub Arc<T>);

impl<T> State<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: ?Sized> Deref for State<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug + ?Sized> fmt::Debug for State<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("State").field(&self.0).finish()
    }
}

impl<T: ?Sized> From<Arc<T>> for State<T> {
    fn from(value: Arc<T>) -> Self {
        Self(value)
    }
}

/// The states of one executor, by type.
#[derive(Default)]
pub struct States {
    by_type: HashMap<TypeId, Given>,
    /// The types that were given more than once.
    doubled: Vec<&'static str>,
}

struct Given {
    name: &'static str,
    /// An `Arc<T>`, boxed because `T` need not be sized.
    value: Box<dyn Any + Send + Sync>,
    used: AtomicBool,
}

/// No state of this type was given.
#[derive(Debug)]
pub struct MissingState(pub(crate) &'static str);

impl States {
    pub(crate) fn add<T: ?Sized + Send + Sync + 'static>(&mut self, value: Arc<T>) {
        let given =
            Given { name: type_name::<T>(), value: Box::new(value), used: AtomicBool::new(false) };
        if let Some(former) = self.by_type.insert(TypeId::of::<T>(), given) {
            self.doubled.push(former.name);
        }
    }

    pub(crate) fn doubled(&self) -> Option<&'static str> {
        self.doubled.first().copied()
    }

    /// The types that were given, sorted.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        let mut names: Vec<_> = self.by_type.values().map(|given| given.name).collect();
        names.sort_unstable();
        names
    }

    /// The types that no handler took, sorted.
    pub(crate) fn unused(&self) -> Vec<&'static str> {
        let unused = self.by_type.values().filter(|given| !given.used.load(Ordering::Relaxed));
        let mut names: Vec<_> = unused.map(|given| given.name).collect();
        names.sort_unstable();
        names
    }

    fn get<T: ?Sized + Send + Sync + 'static>(&self) -> Result<State<T>, MissingState> {
        let given = self.by_type.get(&TypeId::of::<T>());
        let value = given.and_then(|given| {
            given.used.store(true, Ordering::Relaxed);
            given.value.downcast_ref::<Arc<T>>()
        });
        value.cloned().map(State).ok_or(MissingState(type_name::<T>()))
    }
}

/// An argument that is taken from the executor's states.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a state of a job",
    label = "not `fastjob_executor::State<T>`",
    note = "a job takes state as `fastjob_executor::State<T>`, where `T` is `Send + Sync + 'static`",
    note = "if this is the param, give its type a name other than `State`"
)]
pub trait FromStates: Clone {
    /// Finds the state of this type.
    ///
    /// # Errors
    ///
    /// Fails with [`MissingState`] if there is none.
    fn from_states(states: &States) -> Result<Self, MissingState>;
}

impl<T: ?Sized + Send + Sync + 'static> FromStates for State<T> {
    fn from_states(states: &States) -> Result<Self, MissingState> {
        states.get()
    }
}
