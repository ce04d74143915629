//! Handlers that a program registers by value.

use std::{
    any::{TypeId, type_name},
    panic::Location,
    sync::Arc,
};

use fastjob_core::JobHandler;

use crate::{
    handler::DynHandler,
    registry::{Declaration, Declared},
};

/// A handler that is registered by value.
pub struct Registration {
    pub(crate) what: What,
    pub(crate) place: &'static Location<'static>,
}

pub(crate) enum What {
    /// A struct with `#[job]`, with its name and its default job.
    Declared { handler: Arc<dyn DynHandler>, declaration: Box<Declaration> },
    /// A handler without `#[job]`, and so without a default job.
    Named { name: String, handler: Arc<dyn DynHandler> },
    /// An `async fn`. Its declaration is found by the type of the function.
    Function { item: TypeId, path: &'static str },
}

impl Registration {
    #[track_caller]
    pub(crate) fn declared<H: JobHandler + Declared>(handler: H) -> Self {
        let what =
            What::Declared { handler: Arc::new(handler), declaration: Box::new(H::DECLARATION) };
        Self { what, place: Location::caller() }
    }

    #[track_caller]
    pub(crate) fn named(name: impl Into<String>, handler: impl JobHandler) -> Self {
        let what = What::Named { name: name.into(), handler: Arc::new(handler) };
        Self { what, place: Location::caller() }
    }

    #[track_caller]
    fn function<F: 'static>() -> Self {
        let what = What::Function { item: TypeId::of::<F>(), path: type_name::<F>() };
        Self { what, place: Location::caller() }
    }
}

/// A handler with `#[job("name")]`, for [`Builder::handler`](crate::Builder::handler): the value of a
/// struct, or the name of an `async fn`. `M` only tells them apart and is inferred.
///
/// The compiler cannot see whether a function has the attribute, as a function has no name as a type.
/// A function without it fails the build of the executor with
/// [`RegistryError::NotAJob`](crate::RegistryError::NotAJob).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a handler with `#[job(\"name\")]`",
    label = "neither a handler struct nor an `async fn`",
    note = "annotate the struct or the `async fn` with `#[job(\"name\")]`; a struct also implements \
            `JobHandler`",
    note = "`handler_named` registers a `JobHandler` without the attribute"
)]
pub trait IntoHandler<M> {
    #[doc(hidden)]
    fn into_registration(self) -> Registration;
}

/// Marks an [`IntoHandler`] that is the value of a struct.
#[derive(Debug)]
pub enum ByValue {}

impl<H: JobHandler + Declared> IntoHandler<ByValue> for H {
    #[track_caller]
    fn into_registration(self) -> Registration {
        Registration::declared(self)
    }
}

macro_rules! functions {
    ($(($($arg:ident)*))*) => {$(
        impl<F, R, $($arg),*> IntoHandler<fn($($arg),*) -> R> for F
        where
            F: Fn($($arg),*) -> R + Send + Sync + 'static,
        {
            #[track_caller]
            fn into_registration(self) -> Registration {
                Registration::function::<F>()
            }
        }
    )*};
}
functions! {
    () (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E G) (A B C D E G H) (A B C D E G H I)
    (A B C D E G H I J) (A B C D E G H I J K) (A B C D E G H I J K L) (A B C D E G H I J K L M)
}
