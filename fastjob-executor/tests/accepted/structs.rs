//! Structs: without state, with state, generic, and excluded by a `cfg`.

use fastjob_executor::{
    __private::Declared, IntoHandler as _, JobContext, JobHandler, JobResult, job,
};

macro_rules! says {
    ($($name:ident)*) => {$(
        impl JobHandler for $name {
            async fn execute(&self, _: &JobContext) -> JobResult {
                Ok(stringify!($name).into())
            }
        }
    )*};
}

/// Says hello
/// to everyone.
///
/// And this is left out.
#[job("unit")]
struct Unit;

/// Replaced by the argument.
#[job("braces", description = "given")]
pub struct Braces {}

#[job("parens")]
pub(crate) struct Parens();

/// Has state.
#[job("stateful", cron = "0 0 2 * * ?", zone = "Europe/Paris")]
struct Stateful {
    count: u32,
}

says!(Unit Braces Parens Stateful);

#[job("generic")]
struct Generic<'a, T, const N: usize = 1>
where
    T: Clone,
{
    all: [T; N],
    text: &'a str,
}

impl<T: Clone + Send + Sync + 'static, const N: usize> JobHandler for Generic<'static, T, N> {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok(format!("{} {}", self.all.len(), self.text).into())
    }
}

#[job("gone")]
#[cfg(any())]
struct Gone;

#[test]
fn a_declaration_describes_the_struct() {
    assert_eq!(Unit::DECLARATION.description, "Says hello to everyone.");
    assert_eq!(Braces::DECLARATION.description, "given");
    assert_eq!(Parens::DECLARATION.description, "");
    assert!(Unit::DECLARATION.make.is_some() && Parens::DECLARATION.make.is_some());
    let stateful = Stateful { count: 1 };
    assert_eq!(stateful.count, 1);
    assert!(Stateful::DECLARATION.make.is_none());
    let _ = stateful.into_registration();
    let _ = Generic { all: [1, 2], text: "text" }.into_registration();
    assert!(Unit::DECLARATION.path.ends_with("::Unit"));
}
