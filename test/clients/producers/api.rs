//! Calls everything of the Rust producer and writes what it receives; see producerClient.ts.

use kcl::json::{quote, Json};
use kcl::producer::{Error, Producer, Record};
use std::collections::BTreeSet;
use std::env;
use std::time::Duration;

fn main() -> Result<(), Error> {
    let producer = match env::var("PRODUCER_SOCKET") {
        Ok(path) => Producer::connect(path)?,
        Err(_) => Producer::start(&["--ignored"])?,
    };
    let data: Vec<u8> = (0..=255).collect();
    let record = Record {
        partition_key: "k",
        data: &data,
        explicit_hash_key: Some("170141183460469231731687303715884105728"),
        stream: Some("words"),
    };
    let puts: Vec<_> = (0..20).map(|_| producer.put(&record)).collect();
    let flushed = producer.flush(Some(Duration::from_secs(30)))?;
    let mut shards = BTreeSet::new();
    let mut successes = BTreeSet::new();
    for put in puts {
        let stored = put.wait()?;
        shards.insert(quote(&stored.shard_id));
        successes.extend(stored.attempts.iter().map(|attempt| attempt.success.to_string()));
    }
    let figures = producer.metrics(Some("UserRecordsReceived"), None)?;
    let all = figures.iter().filter(|figure| *figure.get("dimensions") == Json::Object(vec![]));
    let received: i64 = all.filter_map(|figure| figure.get("sum").as_i64()).sum();
    let failed = failure(&producer, "");
    let totals = producer.close()?;
    let after_close = failure(&producer, "k");
    let list = |set: BTreeSet<String>| set.into_iter().collect::<Vec<_>>().join(",");
    let (shards, successes) = (list(shards), list(successes));
    println!(
        r#"{{"shards":[{shards}],"attempts":[{successes}],"flushed":{flushed},"received":{received},"failed":{},"afterClose":{},"totals":[{},{},{}]}}"#,
        quote(&failed),
        quote(&after_close),
        totals.stored,
        totals.failed,
        totals.not_stored
    );
    Ok(())
}

fn failure(producer: &Producer, partition_key: &str) -> String {
    match producer.put(&Record::new(partition_key, b"text")).wait() {
        Ok(_) => "no error".to_string(),
        Err(error) => error.code,
    }
}
