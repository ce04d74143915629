//! Transactions that fail, or whose caller was cancelled.

use futures_util::FutureExt;

use super::*;

async fn open(home: &File) -> Vec<i64> {
    let open = home.store().load(Partition(0)).await.unwrap().open;
    open.iter().map(|open| open.planned.row.attempt.0).collect()
}

#[tokio::test]
async fn a_commit_whose_caller_has_gone_is_written_as_a_whole_or_not_at_all() {
    let home = File::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    for id in 10..30 {
        let commits = [plan([head(id)]), plan([head(id + 100)])];
        // It is polled once, so the transaction may have begun.
        drop(home.store().commit(&commits).now_or_never());
        home.store().commit(&[plan([head(id + 200)])]).await.unwrap();
        let open = open(&home).await;
        assert!(open.contains(&(id + 200)), "{open:?}");
        assert_eq!(open.contains(&id), open.contains(&(id + 100)), "{open:?}");
        // The writer repeats a commit whose result it does not know.
        home.store().commit(&commits).await.unwrap();
    }
    let all = (10..30).chain(110..130).chain(210..230).collect::<Vec<i64>>();
    let mut open = open(&home).await;
    open.sort_unstable();
    assert_eq!(open, all);
}

#[tokio::test]
async fn a_connection_that_is_left_inside_a_transaction_blocks_no_later_commit() {
    let home = File::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    home.sqlite().writer.lock().await.thread.wait_no_longer().await;
    home.run("begin immediate").await;
    let busy = home.store().commit(&[plan([head(10)])]).await.unwrap_err();
    assert!(!busy.is_refusal() && !busy.is_too_much(), "{busy:?}");
    home.store().commit(&[plan([head(10)])]).await.unwrap();
    assert_eq!(open(&home).await, [10]);
}

/// After a failure, SQLite may have rolled back what counts as open on the connection.
#[tokio::test]
async fn a_transaction_that_only_counts_as_open_fails_no_later_write() {
    let home = File::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    {
        let mut guard = home.sqlite().writer.lock().await;
        let mut tx = guard.connection.begin_with("begin immediate").await.unwrap();
        sqlx::query("rollback").execute(&mut *tx).await.unwrap();
    }
    home.store().commit(&[plan([head(10)])]).await.unwrap();
    let mut guard = home.sqlite().writer().await;
    guard.connection.begin_with("begin immediate").await.unwrap().rollback().await.unwrap();
}

#[tokio::test]
async fn a_panic_in_a_transaction_writes_nothing_and_stops_no_later_one() {
    let home = File::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    let writer = home.sqlite().writer.lock().await;
    let mistaken = writer.thread.write(|tx| -> rusqlite::Result<()> {
        tx.execute("insert into meta (key, value) values ('half', 'done')", [])?;
        panic!("a mistake")
    });
    assert!(mistaken.await.is_err());
    drop(writer);
    home.store().commit(&[plan([head(10)])]).await.unwrap();
    assert_eq!(open(&home).await, [10]);
    let half: i64 = sqlx::query_scalar("select count(*) from meta where key = 'half'")
        .fetch_one(&home.sqlite().readers)
        .await
        .unwrap();
    assert_eq!(half, 0);
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing_and_the_next_one_succeeds() {
    let home = File::fresh().await;
    home.store().commit(&[base()]).await.unwrap();
    let writer = home.sqlite().writer.lock().await;
    let failed = writer.thread.write(|tx| {
        tx.execute("insert into meta (key, value) values ('half', 'done')", [])?;
        tx.execute("insert into missing values (1)", [])
    });
    let failed = failed.await.unwrap_err().to_string();
    assert!(failed.contains("no such table: missing"), "{failed}");
    let count = writer.thread.write(|tx| {
        tx.query_one("select count(*) from meta where key = 'half'", [], |row| row.get::<_, i64>(0))
    });
    assert_eq!(count.await.unwrap(), 0);
    drop(writer);
    home.store().commit(&[plan([head(10)])]).await.unwrap();
}

#[tokio::test]
async fn a_store_can_be_opened_again_only_when_its_last_transaction_has_ended() {
    let mut home = File::fresh().await;
    let (begun, wait) = std::sync::mpsc::channel();
    let writer = home.sqlite().writer.lock().await;
    let slow = writer.thread.write(move |tx| {
        begun.send(()).unwrap();
        for step in 0..2_000 {
            let value = step.to_string();
            tx.execute("insert or replace into meta (key, value) values ('slow', ?)", [value])?;
        }
        tx.commit()
    });
    assert!(slow.now_or_never().is_none(), "it has not ended");
    drop(writer);
    wait.recv().unwrap();
    home.reopen().await;
    let last: String = sqlx::query_scalar("select value from meta where key = 'slow'")
        .fetch_one(&home.sqlite().readers)
        .await
        .unwrap();
    assert_eq!(last, "1999");
}
