//! The archive in a bucket, over the real client and a small service.

use super::{
    bucket::{ACCESS_KEY, Bucket, SECRET_KEY},
    *,
};
use crate::config::{LogsUrl, S3Config};

fn of_bucket(url: &str, name: &str, secret: &str) -> LogsConfig {
    let s3 = S3Config {
        endpoint: Some(url.to_owned()),
        region: Some("eu-1".to_owned()),
        access_key: Some(ACCESS_KEY.to_owned()),
        secret_key: Some(secret.to_owned().into()),
        ..S3Config::default()
    };
    let store = LogsUrl::Bucket { name: name.to_owned(), prefix: "of/tests".to_owned() };
    LogsConfig { store: Some(store), s3, ..settings(ByteSize::mib(64)) }
}

async fn open(url: &str) -> Archive {
    Archive::open(&of_bucket(url, "logs", SECRET_KEY)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_bucket_keeps_logs_like_a_folder() {
    let (bucket, url) = Bucket::serve().await;
    let archive = open(&url).await;
    assert_eq!(bucket.objects(), BTreeMap::new(), "the trial is removed");
    // More pieces than one page of a list has.
    let (mut text, mut at) = (String::new(), 0);
    for n in 0..120 {
        let line = format!("line {n} 語\n");
        at = keep(&archive, log(7, 23), at, line.as_bytes(), n == 119).await.0;
        text.push_str(&line);
    }
    let again = open(&url).await;
    assert_eq!(read(&again, log(7, 23), 1_000).await, (text.clone(), State::Complete));
    assert_eq!(keep(&again, log(7, 23), 0, b"x", false).await, (text.len() as u64, true));
    keep(&again, log(8, 22), 0, b"older\n", true).await;
    assert_eq!(bucket.objects().len(), 121);
    assert!(bucket.objects().keys().all(|key| key.starts_with("of/tests/2026-11-2")));

    let old = Retention { max_age: Duration::from_secs(24 * 3600), ..KEEP_ALL };
    assert_eq!(again.remove_old(old, at_noon(23)).await.unwrap().objects, 0);
    assert_eq!(again.remove_old(old, at_noon(24)).await.unwrap().objects, 1);
    assert_eq!(again.remove_old(old, at_noon(25)).await.unwrap().objects, 120);
    assert_eq!(bucket.objects(), BTreeMap::new());
    assert_eq!(bucket.refused(), Vec::<String>::new());
}

fn at_noon(day: u32) -> Timestamp {
    at(&format!("2026-11-{day:02}T12:00:00Z"))
}

#[tokio::test]
async fn a_piece_that_another_node_has_just_written_is_not_overwritten() {
    let (bucket, url) = Bucket::serve().await;
    let (one, other) = (open(&url).await, open(&url).await);
    assert_eq!(keep(&one, log(7, 23), 0, b"", false).await, (0, false));
    let before = keep(&one, log(7, 23), 0, b"one\n", false).await;
    let first = bucket.objects();
    // It has not seen that yet: the answer to the same piece was lost.
    lock(&other.0.ends).insert(log(7, 23), End::default());
    assert_eq!(keep(&other, log(7, 23), 0, b"one\n", false).await, before);
    assert_eq!(bucket.objects(), first);
}

#[tokio::test]
async fn a_wrong_key_or_bucket_is_an_error_at_the_start_and_an_outage_is_not() {
    let (bucket, url) = Bucket::serve().await;
    for (name, secret) in [("logs", "wrong"), ("others", SECRET_KEY)] {
        let refused = Archive::open(&of_bucket(&url, name, secret)).await;
        assert!(matches!(refused, Err(OpenError::Store(_))), "{name}");
    }
    assert!(bucket.refused()[0].contains("a wrong signature"), "{:?}", bucket.refused());
    bucket.fails(true);
    let archive = open(&url).await;
    let failed = archive.keep(log(7, 23), piece(0, b"one\n", true)).await.unwrap_err();
    assert!(matches!(failed, NotKept::Failed(_)), "{failed}");
    bucket.fails(false);
    assert_eq!(keep(&archive, log(7, 23), 0, b"one\n", true).await, (4, true));
    assert_eq!(read(&archive, log(7, 23), 100).await, ("one\n".to_owned(), State::Complete));
}
