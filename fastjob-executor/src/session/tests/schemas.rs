//! The JSON schemas of params, which are sent after the welcome.

use fastjob_macros::job;

use super::*;
use crate::registration::IntoHandler as _;

/// Generic, so that it is not discovered in other tests.
#[job("typed", param_type = u32)]
struct Typed<T>(T);

impl JobHandler for Typed<u8> {
    async fn execute(&self, _: &JobContext) -> JobResult {
        Ok(self.0.to_string().into())
    }
}

/// The registration of a handler whose param has a schema.
pub(super) fn typed() -> Registration {
    Typed(0_u8).into_registration()
}

/// The schemas that the executor sends after this welcome; without waiting for them, those that it
/// sends before its answer to the leases.
async fn sent_after(welcome: v1::Welcome) -> Vec<v1::HandlerSchema> {
    let accepted = welcome.accepts_schemas;
    let mut coordinator = Coordinator::with_an_executor().await;
    coordinator.hear(|said| matches!(said, Say::Hello(_)).then_some(())).await;
    coordinator.say(Hear::Welcome(welcome)).await;
    let lease = v1::Lease { partition: 0, term: 1 };
    coordinator.say(Hear::Leases(v1::Leases { leases: vec![lease] })).await;
    let sent = Mutex::new(Vec::new());
    let until_last = |said| {
        if let Say::Schemas(schemas) = &said {
            sent.lock().unwrap().extend(schemas.schemas.clone());
        }
        let last = if accepted {
            matches!(said, Say::Schemas(_))
        } else {
            matches!(said, Say::Holding(_))
        };
        last.then_some(())
    };
    coordinator.hear(until_last).await;
    sent.into_inner().unwrap()
}

#[tokio::test]
async fn schemas_are_sent_to_a_coordinator_that_accepts_them() {
    let welcome = v1::Welcome {
        cluster: "test".to_owned(),
        beat_ms: 60_000,
        silence_ms: 180_000,
        accepts_schemas: true,
        ..v1::Welcome::default()
    };
    // One of an earlier release.
    let earlier = v1::Welcome { accepts_schemas: false, ..welcome.clone() };
    assert_eq!(sent_after(earlier).await, []);
    let sent = sent_after(welcome).await;
    let [v1::HandlerSchema { handler, schema }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(handler, "typed");
    let schema: serde_json::Value = serde_json::from_str(schema).unwrap();
    assert_eq!((&schema["type"], &schema["minimum"]), (&"integer".into(), &0.into()));
}
