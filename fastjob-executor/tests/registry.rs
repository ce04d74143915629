//! The handlers that an executor hosts. This file's handlers are part of the test program, so every
//! test with discovery finds them.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use fastjob_core::{
    JobContext, JobDraft, JobError, JobHandler, JobResult, ServiceName, job::WordOr,
};
use fastjob_executor::{
    job,
    registry::{Declared, Discovery, Registration, Registry, RegistryError},
};

macro_rules! says_its_name {
    ($($handler:ident)*) => {$(
        #[async_trait::async_trait]
        impl JobHandler for $handler {
            async fn execute(&self, _: &JobContext) -> JobResult {
                Ok(stringify!($handler).into())
            }
        }
    )*};
}

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

#[async_trait::async_trait]
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
    Registry::collect(&service("billing"), Discovery::On, values)
}

fn alone(values: Vec<Registration>) -> Result<Registry, RegistryError> {
    Registry::collect(&service("billing"), Discovery::Off, values)
}

fn names(registry: &Registry) -> Vec<&str> {
    registry.iter().map(|(name, _)| name).collect()
}

fn draft<'a>(registry: &'a Registry, name: &str) -> &'a JobDraft {
    registry.drafts().iter().find(|draft| draft.name == name).unwrap()
}

async fn run(registry: &Registry, name: &str, param: Option<&str>) -> JobResult {
    registry.get(name).unwrap().execute(&JobContext::for_test(param)).await
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
    let sales = Registry::collect(&service("sales"), Discovery::On, Vec::new()).unwrap();
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
    registry.add_builtin("http", "calls a URL", Hello).unwrap();
    assert_eq!(registry.iter().collect::<Vec<_>>(), [("http", "calls a URL")]);
    assert!(registry.drafts().is_empty());
    let mut registry = collect(Vec::new()).unwrap();
    let err = registry.add_builtin("hello", "", Hello).unwrap_err();
    assert!(err.to_string().ends_with("the other at fastjob (built in)"), "{err}");
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
    #[async_trait::async_trait]
    impl JobHandler for Bad<1> {
        async fn execute(&self, _: &JobContext) -> JobResult {
            Ok("done".into())
        }
    }
    let err = alone(vec![Registration::declared(Bad::<1>)]).unwrap_err();
    let RegistryError::InvalidJob { handler, place, source } = &err else { panic!("{err:?}") };
    assert_eq!(handler, "bad");
    assert!(place.contains("registry.rs:"), "{place}");
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
    assert_eq!(double(&JobContext::for_test(None), 4).await.unwrap(), 8);
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
