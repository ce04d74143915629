//! The handlers that an executor hosts. The handlers of this file are part of the test program, so
//! every test with discovery finds them.

use fastjob_core::{JobContext, JobDraft, JobError, JobHandler, JobResult, job::WordOr};
use fastjob_macros::job;

use super::*;
use crate::{
    registration::IntoHandler as _,
    state::{State, States},
};

macro_rules! says_its_name {
    ($($handler:ident)*) => {$(
        impl JobHandler for $handler {
            async fn execute(&self, _: &JobContext) -> JobResult {
                Ok(stringify!($handler).into())
            }
        }
    )*};
}

// After the macro, which it uses.
mod schemas;

/// Says hello.
#[job("hello", cron = "0/10 * * * * ?", zone = "Europe/Paris", labels(team = "billing"))]
struct Hello;

/// Sends mail.
#[job("mail", retry = 3, retry_delay = "1m", enabled = false)]
struct Mailer {
    #[expect(dead_code, reason = "only there to be state")]
    smtp: String,
}

/// Belongs to another service.
#[job("sell", service = "sales", param = "{}")]
struct Sell {}

#[job("sell-more", service = "sales")]
struct SellMore {
    #[expect(dead_code, reason = "only there to be state")]
    amount: u32,
}

/// Not discovered, because it is generic.
#[job("pool")]
struct Pool<T>(T);

says_its_name!(Hello Mailer Sell SellMore);

impl JobHandler for Pool<u8> {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok(self.0.to_string().into())
    }
}

#[job("double", description = "twice as much", block = "skip_new", misfire = "fire_once")]
async fn double(ctx: &JobContext, number: u32) -> Result<u32, JobError> {
    if ctx.is_stopping() {
        return Err(JobError::retryable("stopped"));
    }
    number.checked_mul(2).ok_or_else(|| JobError::fatal("too much"))
}

#[job("touch", fixed_rate = "30s")]
async fn touch() {}

fn service(name: &str) -> ServiceName {
    name.parse().unwrap()
}

fn mailer() -> Mailer {
    Mailer { smtp: "localhost".to_owned() }
}

fn collect(values: Vec<Registration>) -> Result<Registry, RegistryError> {
    Registry::collect(&service("billing"), Discovery::On, values, &States::default())
}

fn alone(values: Vec<Registration>) -> Result<Registry, RegistryError> {
    Registry::collect(&service("billing"), Discovery::Off, values, &States::default())
}

fn with_states(
    name: &str,
    values: Vec<Registration>,
    states: &States,
) -> Result<Registry, RegistryError> {
    Registry::collect(&service(name), Discovery::Off, values, states)
}

fn names(registry: &Registry) -> Vec<&str> {
    registry.iter().map(|(name, _)| name).collect()
}

fn draft<'a>(registry: &'a Registry, name: &str) -> &'a JobDraft {
    registry.drafts().iter().find(|draft| draft.name == name).unwrap()
}

async fn run(registry: &Registry, name: &str, param: Option<&str>) -> JobResult {
    let ctx = JobContext::for_test().param(param).build();
    registry.get(name).unwrap().call(&ctx).await
}

#[test]
fn stateless_handlers_are_discovered_and_missing_stateful_ones_are_listed() {
    let registry = collect(Vec::new()).unwrap();
    assert_eq!(names(&registry), ["double", "hello", "touch"]);
    assert_eq!(registry.unregistered(), ["mail"]);
    assert!(registry.get("mail").is_none());
    let described: Vec<_> = registry.iter().map(|(_, description)| description).collect();
    assert_eq!(described, ["twice as much", "Says hello.", ""]);
}

#[test]
fn a_handler_of_another_service_is_skipped() {
    let sales = Registry::collect(&service("sales"), Discovery::On, Vec::new(), &States::default())
        .unwrap();
    assert!(sales.get("sell").is_some() && collect(Vec::new()).unwrap().get("sell").is_none());
    assert_eq!(sales.unregistered(), ["mail", "sell-more"]);
    assert_eq!(draft(&sales, "hello").service.as_deref(), Some("sales"));
    let err = collect(vec![Registration::declared(SellMore { amount: 1 })]).unwrap_err();
    assert_eq!(
        err.to_string(),
        "handler `sell-more` belongs to service `sales`, this executor to `billing`"
    );
}

#[test]
fn nothing_is_found_if_discovery_is_off() {
    let registry = alone(Vec::new()).unwrap();
    assert!(names(&registry).is_empty() && registry.drafts().is_empty());
    assert!(registry.unregistered().is_empty());
    let registry = alone(vec![Registration::declared(Hello)]).unwrap();
    assert_eq!(names(&registry), ["hello"]);
}

#[tokio::test]
async fn values_are_hosted_with_their_default_jobs() {
    let values = vec![
        Registration::declared(mailer()),
        Registration::declared(Pool(7)),
        Registration::declared(Hello),
        Registration::named("plain", Hello),
    ];
    let registry = collect(values).unwrap();
    assert_eq!(names(&registry), ["double", "hello", "mail", "plain", "pool", "touch"]);
    assert!(registry.unregistered().is_empty());
    assert_eq!(run(&registry, "mail", None).await.unwrap().as_str(), Some("Mailer"));
    assert_eq!(run(&registry, "pool", None).await.unwrap().as_str(), Some("7"));
    let jobs: Vec<_> = registry.drafts().iter().map(|draft| draft.name.as_str()).collect();
    assert_eq!(jobs, ["double", "hello", "mail", "pool", "touch"]);
}

#[test]
fn a_value_without_annotation_may_replace_a_stateful_handler() {
    let registry = collect(vec![Registration::named("mail", Hello)]).unwrap();
    assert!(registry.unregistered().is_empty());
    assert!(registry.drafts().iter().all(|draft| draft.name != "mail"));
}

#[test]
fn two_handlers_with_one_name_are_rejected_and_both_are_named() {
    #[track_caller]
    fn check(values: Vec<Registration>, name: &str) {
        let err = collect(values).unwrap_err();
        let RegistryError::Duplicate { name: taken, first, second } = &err else {
            panic!("{err:?}");
        };
        assert_eq!(taken, name);
        let file = concat!(file!(), ":");
        assert!(first.starts_with(file) && second.starts_with(file), "{err}");
        assert_ne!(first, second);
    }
    check(vec![Registration::named("hello", mailer())], "hello");
    check(vec![Registration::declared(mailer()), Registration::declared(mailer())], "mail");
    check(vec![Registration::named("x", Hello), Registration::named("x", mailer())], "x");
}

#[test]
fn a_builtin_has_no_default_job_and_a_unique_name() {
    let mut registry = alone(Vec::new()).unwrap();
    registry.add_builtin("http", "calls a URL", Arc::new(Hello)).unwrap();
    assert_eq!(registry.iter().collect::<Vec<_>>(), [("http", "calls a URL")]);
    assert!(registry.drafts().is_empty());
    let mut registry = collect(Vec::new()).unwrap();
    let err = registry.add_builtin("hello", "", Arc::new(Hello)).unwrap_err();
    assert!(err.to_string().contains("and at fastjob (built in)"), "{err}");
}

#[test]
fn an_invalid_name_is_rejected() {
    let err = alone(vec![Registration::named("two words", Hello)]).unwrap_err();
    assert_eq!(err.to_string(), "a handler cannot be named `two words`");
}

#[test]
fn an_invalid_default_job_fails_the_start() {
    // Not discovered, because it is generic.
    #[job("bad", fixed_rate = "1ms", shard(count = 0))]
    struct Bad<const N: usize>;
    impl JobHandler for Bad<1> {
        async fn execute(&self, _: &JobContext) -> JobResult {
            Ok("done".into())
        }
    }
    let err = alone(vec![Registration::declared(Bad::<1>)]).unwrap_err();
    let RegistryError::InvalidJob { handler, place, source } = &err else { panic!("{err:?}") };
    assert_eq!(handler, "bad");
    assert!(place.contains("tests.rs:"), "{place}");
    let fields: Vec<_> = source.problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(fields, ["schedule.fixed_rate", "shard.count"]);
    assert!(err.to_string().starts_with("the default job of handler `bad` ("), "{err}");
}

#[test]
fn a_default_job_has_the_values_of_its_annotation() {
    let registry = collect(vec![Registration::declared(mailer())]).unwrap();
    let hello = draft(&registry, "hello");
    let Some(WordOr::Table(schedule)) = &hello.schedule else { panic!("{hello:?}") };
    assert_eq!(schedule.cron.as_deref(), Some("0/10 * * * * ?"));
    assert_eq!(schedule.zone.as_deref(), Some("Europe/Paris"));
    assert_eq!(hello.handler.as_deref(), Some("hello"));
    assert_eq!(hello.service.as_deref(), Some("billing"));
    assert_eq!(hello.description.as_deref(), Some("Says hello."));
    assert_eq!(hello.labels["team"], "billing");
    let mail = draft(&registry, "mail");
    let retry = mail.retry.as_ref().unwrap();
    assert_eq!((retry.count, retry.delay.as_deref()), (Some(3), Some("1m")));
    assert_eq!((mail.enabled, &mail.schedule), (Some(false), &None));
    let double = draft(&registry, "double");
    assert_eq!(double.block, Some(WordOr::Word("skip_new".to_owned())));
    assert_eq!(double.misfire, Some(WordOr::Word("fire_once".to_owned())));
    assert_eq!((Sell::DECLARATION.draft)().param, serde_json::Value::from("{}"));
}

#[tokio::test]
async fn a_function_reads_its_param_and_returns_its_result() {
    let registry = collect(Vec::new()).unwrap();
    assert_eq!(run(&registry, "double", Some("21")).await.unwrap().as_str(), Some("42"));
    assert_eq!(run(&registry, "touch", Some("ignored")).await.unwrap().as_str(), None);
    let own = run(&registry, "double", Some("4000000000")).await.unwrap_err();
    assert_eq!((own.message(), own.is_retryable()), ("too much", false));
    assert_eq!(double(&JobContext::for_test().build(), 4).await.unwrap(), 8);
}

#[tokio::test]
async fn an_invalid_param_is_not_retried() {
    let registry = collect(Vec::new()).unwrap();
    for (param, why) in [(None, "the task has no param"), (Some("many"), "expected value")] {
        let err = run(&registry, "double", param).await.unwrap_err();
        assert!(!err.is_retryable(), "{err:?}");
        assert!(err.message().starts_with("handler `double`: the "), "{err}");
        assert!(err.message().contains(why), "{err}");
    }
}

/// What the service provides.
struct Db(u32);

trait Post: Send + Sync {
    fn name(&self) -> String;
}

impl Post for Db {
    fn name(&self) -> String {
        format!("mailer {}", self.0)
    }
}

// Of services that no other test of discovery asks for.
#[job("all", service = "stateful")]
async fn all(
    month: String,
    State(db): State<Db>,
    ctx: &JobContext,
    State(mailer): State<dyn Post>,
) -> anyhow::Result<String> {
    anyhow::ensure!(!month.is_empty(), "no month");
    Ok(format!("{month} {} {} {}", db.0, mailer.name(), ctx.attempt()))
}

#[job("only-state", service = "stateful")]
async fn only_state(db: State<Db>) -> JobResult {
    Ok(db.0.0.to_string().into())
}

#[job("only-param", service = "stateful", retry = 3)]
async fn only_param(number: u32) -> Result<u32, &'static str> {
    number.checked_add(1).ok_or("too much")
}

fn states() -> States {
    let mut states = States::default();
    states.add(Arc::new(Db(7)));
    states.add::<dyn Post>(Arc::new(Db(8)));
    states
}

#[tokio::test]
async fn a_function_takes_context_states_and_param_in_any_order() {
    let values = vec![all.into_registration(), only_state.into_registration()];
    let registry = with_states("stateful", values, &states()).unwrap();
    let result = run(&registry, "all", Some("may")).await.unwrap();
    assert_eq!(result.as_str(), Some("may 7 mailer 8 1"));
    assert_eq!(run(&registry, "only-state", None).await.unwrap().as_str(), Some("7"));
    let err = run(&registry, "all", Some("")).await.unwrap_err();
    assert_eq!((err.message(), err.is_retryable()), ("no month", true));
    // All attempts share the state.
    let shared = State::new(Db(1));
    assert!(Arc::ptr_eq(&shared.0, &shared.clone().0));
}

#[tokio::test]
async fn a_function_registered_by_value_is_hosted_with_its_default_job_where_discovery_is_off() {
    let values = vec![only_param.into_registration()];
    let registry = with_states("stateful", values, &States::default()).unwrap();
    assert_eq!(names(&registry), ["only-param"]);
    assert_eq!(draft(&registry, "only-param").retry.as_ref().unwrap().count, Some(3));
    assert_eq!(run(&registry, "only-param", Some("1")).await.unwrap().as_str(), Some("2"));
    assert!(!run(&registry, "only-param", Some("x")).await.unwrap_err().is_retryable());
    // With discovery, it replaces itself.
    let registry = collect(vec![touch.into_registration()]).unwrap();
    assert_eq!(names(&registry), ["double", "hello", "touch"]);
    let err = collect(vec![only_param.into_registration()]).unwrap_err();
    assert!(matches!(err, RegistryError::OtherService { .. }), "{err}");
}

#[test]
fn a_function_with_two_attributes_registers_both() {
    #[job("evening", service = "stateful")]
    #[job("morning", service = "stateful", fixed_rate = "1h")]
    async fn twice() {}
    let registry =
        with_states("stateful", vec![twice.into_registration()], &States::default()).unwrap();
    assert_eq!(names(&registry), ["evening", "morning"]);
    // Of two services, the executor's is taken.
    #[job("lunch", service = "stateful")]
    #[job("dinner", service = "evenings")]
    async fn meals() {}
    let registry =
        with_states("stateful", vec![meals.into_registration()], &States::default()).unwrap();
    assert_eq!(names(&registry), ["lunch"]);
    let err = with_states("other", vec![meals.into_registration()], &States::default());
    assert!(matches!(err, Err(RegistryError::OtherService { .. })));
}

#[test]
fn a_function_without_the_attribute_is_rejected_and_named() {
    async fn plain(_: &JobContext) {}
    let err = alone(vec![plain.into_registration()]).unwrap_err();
    let RegistryError::NotAJob { path, place } = &err else { panic!("{err:?}") };
    assert!(path.ends_with("::plain") && place.contains("tests.rs:"), "{err}");
    assert!(err.to_string().contains("annotate the `async fn`"), "{err}");
}

#[test]
fn a_missing_state_names_the_handler_the_type_and_what_there_is() {
    let mut only_arc = States::default();
    only_arc.add(Arc::new(Arc::new(Db(1))));
    for (states, hint) in [(States::default(), ""), (only_arc, "it has `alloc::sync::Arc<")] {
        let err = with_states("stateful", vec![all.into_registration()], &states).unwrap_err();
        let RegistryError::MissingState { handler, state, .. } = &err else { panic!("{err:?}") };
        assert_eq!(handler, "all");
        assert!(state.ends_with("::Db"), "{state}");
        let said = err.to_string();
        assert!(said.starts_with("handler `all` takes `State<") && said.contains(hint), "{said}");
    }
    // Discovery creates it, too.
    let found =
        Registry::collect(&service("stateful"), Discovery::On, Vec::new(), &States::default());
    assert!(matches!(found, Err(RegistryError::MissingState { .. })));
}

#[test]
fn a_state_that_no_handler_takes_is_listed() {
    let states = states();
    let unused = states.unused();
    assert_eq!(unused.len(), 2, "{unused:?}");
    with_states("stateful", vec![only_state.into_registration()], &states).unwrap();
    let unused = states.unused();
    assert!(unused.len() == 1 && unused[0].ends_with("Post"), "{unused:?}");
}

#[test]
fn two_states_of_one_type_are_rejected() {
    let mut states = states();
    states.add(Arc::new(Db(9)));
    let err = with_states("stateful", Vec::new(), &states).unwrap_err();
    assert!(matches!(err, RegistryError::DuplicateState { .. }), "{err}");
}
