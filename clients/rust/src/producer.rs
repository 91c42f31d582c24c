//! Puts records into Kinesis streams through the program `kinesis-multilang produce`, which
//! aggregates them as the Kinesis Producer Library does, and retries. This module starts the program
//! and speaks its protocol. A thread reads the results, so a put waits only for credit.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use kcl::producer::{Producer, Record};
//! let producer = Producer::start(&["-p", "producer.properties"])?;
//! let put = producer.put(&Record::new("pets", b"cat"));
//! println!("{}", put.wait()?.sequence_number);
//! producer.close()?;
//! # Ok(())
//! # }
//! ```

use crate::json::{quote, Json};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{env, fmt, net};

const PROTOCOL_VERSION: i64 = 1;
const MAX_LINE_BYTES: usize = 16 * 1024 * 1024;
const CLIENT: &str = "producer.rs 0.1.0";

/// A record to put.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// 1 to 256 UTF-16 units.
    pub partition_key: &'a str,
    pub data: &'a [u8],
    /// A decimal integer from 0 to 2^128 - 1.
    pub explicit_hash_key: Option<&'a str>,
    /// Optional if the producer's configuration names one.
    pub stream: Option<&'a str>,
}

impl<'a> Record<'a> {
    pub fn new(partition_key: &'a str, data: &'a [u8]) -> Self {
        Record { partition_key, data, ..Record::default() }
    }
}

/// One attempt to store a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Since the end of the attempt before, or since the put.
    pub delay: Duration,
    pub duration: Duration,
    pub success: bool,
    pub error_code: Option<String>,
    pub error_message: Option<String>,
    /// The outcome is unknown. If a later attempt succeeds, the record may be stored twice.
    pub maybe_stored: bool,
}

/// Where a record is stored. A consumer receives it with these numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub shard_id: String,
    /// Decimal digits, shared by the records of one aggregate.
    pub sequence_number: String,
    pub sub_sequence_number: i64,
    pub attempts: Vec<Attempt>,
}

/// What became of all records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Totals {
    pub stored: i64,
    pub failed: i64,
    /// Records that had no outcome when the producer's `closeTimeoutMillis` was over.
    pub not_stored: i64,
}

/// A record is not stored. The producer has already retried what a retry can resolve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// A name of the protocol, such as `RecordTooLarge` or `ProducerDied`, or of a Kinesis error.
    pub code: String,
    pub message: String,
    pub attempts: Vec<Attempt>,
}

impl Error {
    fn new(code: &str, message: impl Into<String>) -> Self {
        Error { code: code.to_string(), message: message.into(), attempts: Vec::new() }
    }

    fn died(why: impl fmt::Display) -> Self {
        Error::new("ProducerDied", format!("{why}; see its log on STDERR"))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for Error {}

/// What a put returns: its outcome, once it is known.
#[derive(Debug)]
pub struct Pending(Arc<Answer>);

impl Pending {
    /// Waits until the record is stored.
    pub fn wait(&self) -> Result<Stored, Error> {
        self.0.wait().map(|message| Stored {
            shard_id: text(&message, "shardId"),
            sequence_number: text(&message, "sequenceNumber"),
            sub_sequence_number: message.get("subSequenceNumber").as_i64().unwrap_or(0),
            attempts: attempts(&message),
        })
    }

    pub fn is_known(&self) -> bool {
        lock(&self.0.outcome).is_some()
    }
}

#[derive(Debug, Default)]
struct Answer {
    outcome: Mutex<Option<Result<Json, Error>>>,
    known: Condvar,
}

impl Answer {
    fn settle(&self, outcome: Result<Json, Error>) {
        *lock(&self.outcome) = Some(outcome);
        self.known.notify_all();
    }

    fn wait(&self) -> Result<Json, Error> {
        let mut outcome = lock(&self.outcome);
        loop {
            match &*outcome {
                Some(known) => return known.clone(),
                None => outcome = self.known.wait(outcome).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}

/// Puts records from any thread.
pub struct Producer {
    shared: Arc<Shared>,
    /// Keeps the order of lines. The reader never takes it, so it reads while a write waits.
    output: Mutex<Option<Output>>,
    reader: Mutex<Option<JoinHandle<()>>>,
}

enum Output {
    Child(ChildStdin),
    Socket(UnixStream),
}

struct Shared {
    state: Mutex<State>,
    /// Announces credit and the end.
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: HashMap<i64, Arc<Answer>>,
    last_id: i64,
    credit: i64,
    max_in_flight_bytes: i64,
    protocol_version: Option<i64>,
    totals: Option<Totals>,
    /// Why nothing can be written any more.
    end: Option<Error>,
}

impl Producer {
    /// Starts the program with options of `kinesis-multilang produce --protocol`. The environment
    /// variable `KINESIS_MULTILANG_PRODUCER` replaces the whole command.
    pub fn start(options: &[&str]) -> Result<Producer, Error> {
        let given = env::var("KINESIS_MULTILANG_PRODUCER").unwrap_or_default();
        let mut words: Vec<&str> = given.split_whitespace().collect();
        if words.is_empty() {
            words = vec!["kinesis-multilang", "produce", "--protocol"];
            words.extend(options);
        }
        let mut command = Command::new(words[0]);
        // In a process group of its own: Ctrl-C reaches this program, which then closes the producer.
        command.args(&words[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| Error::died(format!("{}: {error}", words[0])))?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => Producer::open(Output::Child(input), output, Some(child)),
            _ => Err(Error::died("the producer has no pipes")),
        }
    }

    /// Connects to the path at which `kinesis-multilang produce --listen unix:PATH` listens.
    pub fn connect(path: impl AsRef<Path>) -> Result<Producer, Error> {
        let connected = UnixStream::connect(&path).and_then(|to| Ok((to.try_clone()?, to)));
        let (from, to) = connected.map_err(|error| Error::died(format!("{}: {error}", path.as_ref().display())))?;
        Producer::open(Output::Socket(to), from, None)
    }

    /// Hands over one record. Waits while `maxInFlightBytes` of records have no outcome yet.
    pub fn put(&self, record: &Record) -> Pending {
        let mut fields = format!(r#""action":"put","partitionKey":{}"#, quote(record.partition_key));
        if let Some(hash_key) = record.explicit_hash_key {
            fields += &format!(r#","explicitHashKey":{}"#, quote(hash_key));
        }
        if let Some(stream) = record.stream {
            fields += &format!(r#","stream":{}"#, quote(stream));
        }
        fields += r#","data":""#;
        encode_base64(record.data, &mut fields);
        fields.push('"');
        Pending(self.ask(&fields, true))
    }

    /// Sends everything that was put before, and waits for the outcomes. Returns the number of
    /// records that still have none when the timeout passes first.
    pub fn flush(&self, timeout: Option<Duration>) -> Result<i64, Error> {
        let limit = timeout.map_or(String::new(), |limit| format!(r#","timeoutMs":{}"#, limit.as_millis()));
        let message = self.ask(&format!(r#""action":"flush"{limit}"#), false).wait()?;
        Ok(message.get("notStored").as_i64().unwrap_or(0))
    }

    /// Returns figures under the KPL's names: objects with `name`, `dimensions`, `sum`,
    /// `sampleCount`, `min` and `max`.
    pub fn metrics(&self, name: Option<&str>, window_seconds: Option<u32>) -> Result<Vec<Json>, Error> {
        let name = name.map_or(String::new(), |name| format!(r#","name":{}"#, quote(name)));
        let window = window_seconds.map_or(String::new(), |seconds| format!(r#","windowSeconds":{seconds}"#));
        let message = self.ask(&format!(r#""action":"metrics"{name}{window}"#), false).wait()?;
        match message.get("metrics") {
            Json::Array(figures) => Ok(figures.clone()),
            _ => Ok(Vec::new()),
        }
    }

    /// The number of messages without an answer.
    pub fn outstanding(&self) -> usize {
        self.shared.lock().waiting.len()
    }

    /// Sends everything that was put, waits for the outcomes, and ends the producer. The error says
    /// why it ended before it had reported all outcomes.
    pub fn close(&self) -> Result<Totals, Error> {
        let output = {
            let mut output = lock(&self.output);
            self.shared.lock().end.get_or_insert_with(|| Error::new("Closed", "the producer is closed"));
            output.take()
        };
        match output {
            Some(Output::Socket(socket)) => socket.shutdown(net::Shutdown::Write).unwrap_or(()),
            ended => drop(ended),
        }
        if let Some(reader) = lock(&self.reader).take() {
            reader.join().unwrap_or(());
        }
        let state = self.shared.lock();
        state.totals.ok_or_else(|| state.end.clone().unwrap_or_else(|| Error::died("the producer has ended")))
    }

    fn open(output: Output, input: impl Read + Send + 'static, child: Option<Child>) -> Result<Producer, Error> {
        let shared = Arc::new(Shared { state: Mutex::default(), changed: Condvar::new() });
        let readers = Arc::clone(&shared);
        let reader = thread::spawn(move || readers.read(input, child));
        let producer = Producer { shared, output: Mutex::new(Some(output)), reader: Mutex::new(Some(reader)) };
        producer.greet()?;
        Ok(producer)
    }

    fn greet(&self) -> Result<(), Error> {
        let mut output = lock(&self.output);
        let start =
            format!("{{\"action\":\"start\",\"protocolVersion\":1,\"client\":{},\"credit\":true}}\n", quote(CLIENT));
        let mut state = self.shared.lock();
        while state.protocol_version.is_none() && state.end.is_none() {
            state = self.shared.wait(state);
        }
        if let Some(end) = &state.end {
            return Err(end.clone());
        }
        if state.protocol_version != Some(PROTOCOL_VERSION) {
            output.take();
            return Err(Error::died("the producer uses another protocol version; update this client"));
        }
        state.credit -= start.len() as i64;
        drop(state);
        write(&mut output, &start);
        Ok(())
    }

    fn ask(&self, fields: &str, is_put: bool) -> Arc<Answer> {
        let answer = Arc::new(Answer::default());
        let mut output = lock(&self.output);
        match self.shared.register(fields, is_put, &answer) {
            Ok(line) => write(&mut output, &line),
            Err(problem) => answer.settle(Err(problem)),
        }
        answer
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.close().ok();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for credit and registers a line. Fails if it cannot be written.
    fn register(&self, fields: &str, is_put: bool, answer: &Arc<Answer>) -> Result<String, Error> {
        let mut state = self.lock();
        state.last_id += 1;
        let id = state.last_id;
        let line = format!("{{{fields},\"id\":{id}}}\n");
        if line.len() > MAX_LINE_BYTES {
            let text = format!("the record takes {} bytes in the protocol; allowed: {MAX_LINE_BYTES}", line.len());
            return Err(Error::new("RecordTooLarge", text));
        }
        let cost = line.len() as i64;
        while is_put && state.end.is_none() && state.credit < cost.min(state.max_in_flight_bytes) {
            state = self.wait(state);
        }
        if let Some(end) = &state.end {
            return Err(end.clone());
        }
        state.credit -= cost;
        state.waiting.insert(id, Arc::clone(answer));
        Ok(line)
    }

    fn read(&self, input: impl Read, child: Option<Child>) {
        let why = match (self.receive_all(input), child) {
            (Err(error), _) => format!("the producer's output cannot be read: {error}"),
            (Ok(()), None) => "the connection has ended".to_string(),
            (Ok(()), Some(mut child)) => match child.wait() {
                Ok(status) => format!("the producer has ended with {}", described(status.code())),
                Err(error) => format!("the producer has ended: {error}"),
            },
        };
        self.finish(&why);
    }

    fn receive_all(&self, input: impl Read) -> io::Result<()> {
        let mut lines = BufReader::new(input);
        let mut line = String::new();
        while lines.read_line(&mut line)? > 0 {
            let message = Json::parse(&line).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            self.receive(message);
            line.clear();
        }
        Ok(())
    }

    fn receive(&self, message: Json) {
        let number = |name: &str| message.get(name).as_i64().unwrap_or(0);
        let mut state = self.lock();
        match message.get("action").as_str() {
            Some("result" | "flushed" | "metrics") => {
                let answer = message.get("id").as_i64().and_then(|id| state.waiting.remove(&id));
                drop(state);
                if let Some(answer) = answer {
                    answer.settle(outcome(message));
                }
                return;
            }
            Some("credit") => state.credit += number("bytes"),
            Some("ready") => {
                state.protocol_version = Some(number("protocolVersion"));
                state.max_in_flight_bytes = number("maxInFlightBytes");
                state.credit = state.max_in_flight_bytes;
            }
            Some("closed") => {
                let [stored, failed, not_stored] = ["stored", "failed", "notStored"].map(number);
                state.totals = Some(Totals { stored, failed, not_stored });
            }
            Some("error") => {
                let (line, why) = (number("line"), text(&message, "message"));
                eprintln!("producer: the producer refused line {line}: {why}");
            }
            _ => {} // a message of a later version
        }
        self.changed.notify_all();
    }

    fn finish(&self, why: &str) {
        let mut state = self.lock();
        let (end, error) = if state.totals.is_some() {
            let text = "the producer ended before the record had an outcome";
            (Error::new("Closed", "the producer has ended"), Error::new("NotStored", text))
        } else {
            (Error::died(why), Error::died(why))
        };
        state.end = Some(end);
        let waiting = std::mem::take(&mut state.waiting);
        self.changed.notify_all();
        drop(state);
        for answer in waiting.into_values() {
            answer.settle(Err(error.clone()));
        }
    }
}

fn outcome(message: Json) -> Result<Json, Error> {
    match message.get("error").as_str() {
        None => Ok(message),
        Some(code) => {
            Err(Error { code: code.to_string(), message: text(&message, "message"), attempts: attempts(&message) })
        }
    }
}

fn attempts(message: &Json) -> Vec<Attempt> {
    let Json::Array(all) = message.get("attempts") else { return Vec::new() };
    let millis = |value: &Json| Duration::from_millis(value.as_i64().unwrap_or(0).unsigned_abs());
    let all = all.iter().map(|each| Attempt {
        delay: millis(each.get("delay")),
        duration: millis(each.get("duration")),
        success: *each.get("success") == Json::Bool(true),
        error_code: each.get("errorCode").as_str().map(String::from),
        error_message: each.get("errorMessage").as_str().map(String::from),
        maybe_stored: *each.get("maybeStored") == Json::Bool(true),
    });
    all.collect()
}

fn text(message: &Json, name: &str) -> String {
    message.get(name).as_str().unwrap_or_default().to_string()
}

fn described(code: Option<i32>) -> String {
    code.map_or("a signal".to_string(), |code| format!("code {code}"))
}

/// Does nothing if the producer has ended: the reader notices, and fails all answers.
fn write(output: &mut Option<Output>, line: &str) {
    let written = match output {
        Some(Output::Child(input)) => input.write_all(line.as_bytes()),
        Some(Output::Socket(socket)) => socket.write_all(line.as_bytes()),
        None => Ok(()),
    };
    written.unwrap_or(());
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode_base64(data: &[u8], to: &mut String) {
    to.reserve(data.len().div_ceil(3) * 4);
    for chunk in data.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place)) as usize & 63];
            to.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
}
