//! Puts records from STDIN, one per line: a partition key, a tab and a text. It writes one line for
//! each record to STDOUT, in the same order, as soon as its outcome is known: "stored SHARD_ID
//! SEQUENCE_NUMBER SUB_SEQUENCE_NUMBER" or "failed ERROR". Its arguments are options of
//! kinesis-multilang produce, such as --stream words.

use kcl::producer::{Pending, Producer, Record};
use std::error::Error;
use std::io::{self, BufRead};
use std::process::ExitCode;
use std::sync::mpsc::{sync_channel, Receiver};
use std::{env, thread};

/// Bounds the outcomes that wait for an earlier one.
const MOST_UNREPORTED: usize = 1 << 16;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("not all records are stored: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool, Box<dyn Error>> {
    let options: Vec<String> = env::args().skip(1).collect();
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let producer = Producer::start(&options)?;
    let (puts, pending) = sync_channel(MOST_UNREPORTED);
    let reporter = thread::spawn(|| report(pending));
    for line in io::stdin().lock().lines() {
        let line = line?;
        let (key, text) = line.split_once('\t').unwrap_or(("", &line));
        puts.send(producer.put(&Record::new(key, text.as_bytes())))?;
    }
    drop(puts);
    let closed = producer.close();
    let all_stored = reporter.join().map_err(|_| "the reporter failed")?;
    closed?;
    Ok(all_stored)
}

fn report(pending: Receiver<Pending>) -> bool {
    let mut all_stored = true;
    for put in pending {
        match put.wait() {
            Ok(stored) => {
                println!("stored {} {} {}", stored.shard_id, stored.sequence_number, stored.sub_sequence_number)
            }
            Err(error) => {
                all_stored = false;
                println!("failed {}", error.code);
            }
        }
    }
    all_stored
}
