//! Runs an Amazon Kinesis record processor in Rust for one shard. It speaks the MultiLangDaemon
//! protocol on STDIN and STDOUT.
//!
//! The client reads an action, calls its method and writes its status. Only checkpoints come in
//! between. If a method returns an error or panics, the process ends without a status, so the
//! daemon delivers the records again.

pub mod json;
#[cfg(unix)]
pub mod producer;

use json::{decode_base64, quote, Json, NotJson, Reader};
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

/// The result of a processor's methods. `?` accepts any error.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Handles the actions of the daemon for one shard. The client makes one call at a time.
pub trait RecordProcessor {
    /// Called first, with the checkpoint to continue from.
    fn initialize(&mut self, _input: &InitializeInput, _daemon: &mut Daemon) -> Result {
        Ok(())
    }

    fn process_records(&mut self, input: &ProcessRecordsInput, checkpointer: &mut Checkpointer) -> Result;

    /// Another worker holds the shard: checkpoints are no longer possible.
    fn lease_lost(&mut self, _daemon: &mut Daemon) -> Result {
        Ok(())
    }

    /// Must call `checkpointer.checkpoint()`, or the shard's child shards never start.
    fn shard_ended(&mut self, checkpointer: &mut Checkpointer) -> Result;

    /// The daemon stops or hands the shard over: the last chance to checkpoint.
    fn shutdown_requested(&mut self, _checkpointer: &mut Checkpointer) -> Result {
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct InitializeInput {
    pub shard_id: String,
    /// Digits, or `TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP` if there is no checkpoint yet.
    pub sequence_number: String,
    pub sub_sequence_number: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRecordsInput {
    /// In the order of the shard.
    pub records: Vec<Record>,
    /// How far the batch is behind the tip of the shard, if the service reported it.
    pub millis_behind_latest: Option<i64>,
}

/// One user record. The records of a KPL aggregate share their sequence number.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub data: Vec<u8>,
    pub partition_key: String,
    pub sequence_number: String,
    pub sub_sequence_number: i64,
    /// Milliseconds since 1970.
    pub approximate_arrival_timestamp: Option<i64>,
}

/// A checkpoint was not stored; the field is the daemon's error name. Errors that can be retried
/// have been retried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointError(pub String);

impl CheckpointError {
    /// Another worker holds the lease, or the daemon is gone: stop.
    pub fn is_shutdown(&self) -> bool {
        self.0 == "ShutdownException"
    }
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint not stored: {}", self.0)
    }
}

impl Error for CheckpointError {}

/// Retried after 0.2 s, doubling to 5 s, about 12 s in all.
const RETRYABLE: [&str; 2] = ["ThrottlingException", "KinesisClientLibDependencyException"];
const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Stores how far the shard is processed. It is borrowed for the duration of its action.
pub struct Checkpointer<'a, 'b>(&'a mut Daemon<'b>);

impl Checkpointer<'_, '_> {
    /// Stores the end of all records delivered so far. In `shard_ended` this finishes the shard.
    pub fn checkpoint(&mut self) -> Result {
        self.store("null", "null")
    }

    pub fn checkpoint_record(&mut self, record: &Record) -> Result {
        self.checkpoint_at(&record.sequence_number, record.sub_sequence_number)
    }

    pub fn checkpoint_at(&mut self, sequence_number: &str, sub_sequence_number: i64) -> Result {
        self.store(&quote(sequence_number), &sub_sequence_number.to_string())
    }

    /// See [`Daemon::log`].
    pub fn log(&mut self, level: &str, message: &str) -> io::Result<()> {
        self.0.log(level, message)
    }

    fn store(&mut self, at: &str, sub: &str) -> Result {
        let request = format!(r#"{{"action":"checkpoint","sequenceNumber":{at},"subSequenceNumber":{sub}}}"#);
        let mut longest = FIRST_WAIT;
        for attempt in 1.. {
            self.0.write(&request)?;
            let answer = self.0.read_answer()?;
            let error = match &answer.error {
                Json::Null => break,
                error => error.as_str().unwrap_or("an error without a name"),
            };
            if !RETRYABLE.contains(&error) || attempt == ATTEMPTS {
                return Err(CheckpointError(error.to_owned()).into());
            }
            (self.0.sleep)(longest / 2 + longest.mul_f64(random() / 2.0));
            longest = LONGEST_WAIT.min(longest * 2);
        }
        Ok(())
    }
}

/// Returns a number between 0 and 1, from the random seed of the standard library's hash maps.
fn random() -> f64 {
    RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64
}

/// The other side of the pipes.
pub struct Daemon<'b> {
    input: Box<dyn BufRead + 'b>,
    output: Box<dyn Write + 'b>,
    errors: Box<dyn Write + 'b>,
    sleep: Box<dyn FnMut(Duration) + 'b>,
    logs: bool,
}

/// How much of a line that is not a message is shown.
const SHOWN_CHARS: usize = 200;
const ACTIONS: [&str; 5] = ["initialize", "processRecords", "leaseLost", "shardEnded", "shutdownRequested"];

impl<'b> Daemon<'b> {
    /// Uses other streams, for tests. [`run`] uses those of the process.
    pub fn new(input: impl BufRead + 'b, output: impl Write + 'b, errors: impl Write + 'b) -> Self {
        Daemon {
            input: Box::new(input),
            output: Box::new(output),
            errors: Box::new(errors),
            sleep: Box::new(std::thread::sleep),
            logs: std::env::var_os("KINESIS_MULTILANG_PROTOCOL_VERSION").is_some(),
        }
    }

    /// Replaces the waits between attempts to checkpoint.
    pub fn sleep(self, sleep: impl FnMut(Duration) + 'b) -> Self {
        Daemon { sleep: Box::new(sleep), ..self }
    }

    /// Sets whether the daemon supports `log`, instead of reading the environment.
    pub fn logs(self, logs: bool) -> Self {
        Daemon { logs, ..self }
    }

    /// Handles one action after the other until the end of the input.
    pub fn serve(&mut self, processor: &mut impl RecordProcessor) -> Result {
        while let Some(message) = self.read()? {
            let Message { action, initialize, batch, .. } = message;
            match action.as_str() {
                "initialize" => processor.initialize(&initialize, self)?,
                "processRecords" => processor.process_records(&batch?, &mut Checkpointer(self))?,
                "leaseLost" => processor.lease_lost(self)?,
                "shardEnded" => processor.shard_ended(&mut Checkpointer(self))?,
                "shutdownRequested" => processor.shutdown_requested(&mut Checkpointer(self))?,
                _ => {
                    self.ignore(&action)?;
                    continue;
                }
            }
            self.write(&format!(r#"{{"action":"status","responseFor":{}}}"#, quote(&action)))?;
        }
        Ok(())
    }

    /// Writes to the daemon's log with shard and level (debug, info, warn, error), or to STDERR if
    /// the daemon has no such log.
    pub fn log(&mut self, level: &str, message: &str) -> io::Result<()> {
        if !self.logs {
            return writeln!(self.errors, "{level}: {message}");
        }
        self.write(&format!(r#"{{"action":"log","level":{},"message":{}}}"#, quote(level), quote(message)))
    }

    /// Reads the next message. A line may have any length, and its buffer is freed.
    fn read(&mut self) -> Result<Option<Message>> {
        let mut line = String::new();
        while self.input.read_line(&mut line)? > 0 {
            if !line.trim().is_empty() {
                return match Message::parse(&line) {
                    Ok(message) => Ok(Some(message)),
                    Err(error) => {
                        let shown: String = line.trim_end().chars().take(SHOWN_CHARS).collect();
                        Err(format!("the daemon sent something that is not a message ({error}): {shown}").into())
                    }
                };
            }
            line.clear();
        }
        Ok(None)
    }

    fn read_answer(&mut self) -> Result<Message> {
        while let Some(message) = self.read()? {
            match message.action.as_str() {
                "checkpoint" => return Ok(message),
                action if ACTIONS.contains(&action) => {
                    return Err(CheckpointError("InvalidStateException".to_owned()).into())
                }
                action => self.ignore(action)?,
            }
        }
        // The daemon is gone.
        Err(CheckpointError("ShutdownException".to_owned()).into())
    }

    /// The line break in front protects the message from anything on STDOUT that has no line end.
    fn write(&mut self, message: &str) -> io::Result<()> {
        self.output.write_all(format!("\n{message}\n").as_bytes())?;
        self.output.flush()
    }

    fn ignore(&mut self, action: &str) -> io::Result<()> {
        writeln!(self.errors, "kcl: ignoring an action that this client does not know: {action}")
    }
}

/// A message of any action, read from its line in one pass. Fields that are missing or have another
/// type are empty.
struct Message {
    action: String,
    initialize: InitializeInput,
    /// If it is malformed, the error is reported where the batch is used.
    batch: Batch,
    error: Json,
}

impl Message {
    fn parse(line: &str) -> std::result::Result<Message, NotJson> {
        let mut reader = Reader::new(line);
        let mut message = Message {
            action: String::new(),
            initialize: InitializeInput {
                shard_id: String::new(),
                sequence_number: String::new(),
                sub_sequence_number: 0,
            },
            batch: Err("processRecords without records"),
            error: Json::Null,
        };
        let mut millis_behind_latest = None;
        reader.object(|reader, key| {
            match &*key {
                "action" => message.action = reader.text()?,
                "shardId" => message.initialize.shard_id = reader.text()?,
                "sequenceNumber" => message.initialize.sequence_number = reader.text()?,
                "subSequenceNumber" => message.initialize.sub_sequence_number = reader.integer()?.unwrap_or_default(),
                "millisBehindLatest" => millis_behind_latest = reader.integer()?,
                "error" => message.error = reader.value(1)?,
                "records" => message.batch = records(reader)?,
                _ => drop(reader.value(1)?),
            }
            Ok(())
        })?;
        reader.end()?;
        if let Ok(batch) = &mut message.batch {
            batch.millis_behind_latest = millis_behind_latest;
        }
        Ok(message)
    }
}

type Batch = std::result::Result<ProcessRecordsInput, &'static str>;

fn records(reader: &mut Reader) -> std::result::Result<Batch, NotJson> {
    if reader.peek() != Some(b'[') {
        reader.value(1)?;
        return Ok(Err("processRecords without records"));
    }
    let mut batch = ProcessRecordsInput { records: Vec::new(), millis_behind_latest: None };
    let mut all_base64 = true;
    reader.array(|reader| {
        let mut record = Record {
            data: Vec::new(),
            partition_key: String::new(),
            sequence_number: String::new(),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: None,
        };
        if reader.peek() != Some(b'{') {
            reader.value(2)?;
            batch.records.push(record);
            return Ok(());
        }
        let mut is_base64 = true;
        reader.object(|reader, key| {
            match &*key {
                "data" => match reader.data()? {
                    Some(data) => (record.data, is_base64) = (data, true),
                    None => is_base64 = false,
                },
                "partitionKey" => record.partition_key = reader.text()?,
                "sequenceNumber" => record.sequence_number = reader.text()?,
                "subSequenceNumber" => record.sub_sequence_number = reader.integer()?.unwrap_or_default(),
                "approximateArrivalTimestamp" => record.approximate_arrival_timestamp = reader.integer()?,
                _ => drop(reader.value(3)?),
            }
            Ok(())
        })?;
        all_base64 &= is_base64;
        batch.records.push(record);
        Ok(())
    })?;
    Ok(if all_base64 { Ok(batch) } else { Err("the data of a record is not base64") })
}

impl Reader<'_> {
    fn text(&mut self) -> std::result::Result<String, NotJson> {
        Ok(match self.value(1)? {
            Json::String(text) => text,
            _ => String::new(),
        })
    }

    fn integer(&mut self) -> std::result::Result<Option<i64>, NotJson> {
        Ok(self.value(1)?.as_i64())
    }

    /// Returns nothing if it is not base64.
    fn data(&mut self) -> std::result::Result<Option<Vec<u8>>, NotJson> {
        if let Some(data) = self.base64() {
            return Ok(Some(data));
        }
        let text = self.text()?;
        Ok(decode_base64(text.as_bytes()))
    }
}

/// Runs a processor on STDIN and STDOUT until STDIN is closed. Return its code from `main`. On
/// Unix, descriptor 1 is STDERR and descriptor 0 is empty from then on. The program, C code and
/// child processes can then neither print between the messages nor read them.
pub fn run(mut processor: impl RecordProcessor) -> ExitCode {
    let served = private_pipes()
        .map_err(Into::into)
        .and_then(|(input, output)| Daemon::new(input, output, io::stderr()).serve(&mut processor));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kcl: the record processor failed: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(unix)]
fn private_pipes() -> io::Result<(impl BufRead, impl Write)> {
    use std::fs::File;
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
    use std::os::raw::c_int;
    extern "C" {
        // The standard library links the C library, but exports no `dup2`.
        fn dup2(from: c_int, to: c_int) -> c_int;
    }
    fn take(stream: BorrowedFd, replacement: BorrowedFd) -> io::Result<File> {
        let ours = stream.try_clone_to_owned()?;
        // SAFETY: both descriptors are open, and no memory is involved.
        if unsafe { dup2(replacement.as_raw_fd(), stream.as_raw_fd()) } < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(ours.into())
    }
    let input = take(io::stdin().as_fd(), File::open("/dev/null")?.as_fd())?;
    let output = take(io::stdout().as_fd(), io::stderr().as_fd())?;
    Ok((io::BufReader::with_capacity(1 << 16, input), output))
}

/// Elsewhere `println!` still reaches STDOUT: use `eprintln!`.
#[cfg(not(unix))]
fn private_pipes() -> io::Result<(impl BufRead, impl Write)> {
    Ok((io::stdin().lock(), io::stdout()))
}
