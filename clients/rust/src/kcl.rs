//! Amazon Kinesis record processors in Rust: speaks the MultiLangDaemon protocol on STDIN and STDOUT for one shard.
//!
//! An action is read, its method is called, its status is written; the only thing in between are checkpoints. A
//! method that returns an error or panics ends the process without a status, so that its records come again.

pub mod json;

use json::{quote, Json};
use std::collections::hash_map::RandomState;
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::time::Duration;

/// What a processor's methods return; `?` takes any error.
pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Answers the actions of the daemon for one shard. Calls are made one at a time.
pub trait RecordProcessor {
    /// Comes first, with the checkpoint to go on from.
    fn initialize(&mut self, _input: &InitializeInput, _daemon: &mut Daemon) -> Result {
        Ok(())
    }

    fn process_records(&mut self, input: &ProcessRecordsInput, checkpointer: &mut Checkpointer) -> Result;

    /// Another worker has the shard: checkpoints are no longer possible.
    fn lease_lost(&mut self, _daemon: &mut Daemon) -> Result {
        Ok(())
    }

    /// Must call `checkpointer.checkpoint()`, or the children of the shard never start.
    fn shard_ended(&mut self, checkpointer: &mut Checkpointer) -> Result;

    /// The last chance to checkpoint: the daemon stops or hands the shard over.
    fn shutdown_requested(&mut self, _checkpointer: &mut Checkpointer) -> Result {
        Ok(())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct InitializeInput {
    pub shard_id: String,
    /// Digits, or `TRIM_HORIZON`, `LATEST`, `AT_TIMESTAMP` when there is no checkpoint yet.
    pub sequence_number: String,
    pub sub_sequence_number: i64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct ProcessRecordsInput {
    /// In the order of the shard.
    pub records: Vec<Record>,
    /// How far the tip of the shard is ahead, if the service told.
    pub millis_behind_latest: Option<i64>,
}

/// One user record; those of a KPL aggregate share their sequence number.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub data: Vec<u8>,
    pub partition_key: String,
    pub sequence_number: String,
    pub sub_sequence_number: i64,
    /// Milliseconds since 1970.
    pub approximate_arrival_timestamp: Option<i64>,
}

/// A checkpoint that was not stored, after the retries where those can help: the daemon's word for why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointError(pub String);

impl CheckpointError {
    /// Another worker has the lease, or the daemon has gone: stop.
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

/// Tried again after 0.2 s, doubling to 5 s, about 12 s in all.
const RETRYABLE: [&str; 2] = ["ThrottlingException", "KinesisClientLibDependencyException"];
const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Stores how far the shard is processed. It is lent for the action that brought it.
pub struct Checkpointer<'a, 'b>(&'a mut Daemon<'b>);

impl Checkpointer<'_, '_> {
    /// At the end of all records delivered so far; in `shard_ended` this finishes the shard.
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
            let error = match answer.get("error") {
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

/// Between 0 and 1, from the seed that the standard library gives each of its hash maps.
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

const ACTIONS: [&str; 5] = ["initialize", "processRecords", "leaseLost", "shardEnded", "shutdownRequested"];

impl<'b> Daemon<'b> {
    /// On streams of one's own, as tests have them; [`run`] takes those of the process.
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

    /// Says whether the daemon understands `log`, instead of asking the environment.
    pub fn logs(self, logs: bool) -> Self {
        Daemon { logs, ..self }
    }

    /// Answers one action after the other until the end of the input.
    pub fn serve(&mut self, processor: &mut impl RecordProcessor) -> Result {
        while let Some(message) = self.read()? {
            let action = message.get("action").as_str().unwrap_or_default().to_owned();
            match action.as_str() {
                "initialize" => processor.initialize(&initialize_input(&message), self)?,
                "processRecords" => {
                    processor.process_records(&process_records_input(&message)?, &mut Checkpointer(self))?
                }
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

    /// Writes to the daemon's log with shard and level (debug, info, warn, error), or to STDERR under a daemon that
    /// cannot take it.
    pub fn log(&mut self, level: &str, message: &str) -> io::Result<()> {
        if !self.logs {
            return writeln!(self.errors, "{level}: {message}");
        }
        self.write(&format!(r#"{{"action":"log","level":{},"message":{}}}"#, quote(level), quote(message)))
    }

    /// The next message. Lines may be of any length.
    fn read(&mut self) -> Result<Option<Json>> {
        let mut line = String::new();
        while self.input.read_line(&mut line)? > 0 {
            if !line.trim().is_empty() {
                return match Json::parse(&line)? {
                    message @ Json::Object(_) => Ok(Some(message)),
                    _ => Err(format!("the daemon sent something that is not a message: {line}").into()),
                };
            }
            line.clear();
        }
        Ok(None)
    }

    fn read_answer(&mut self) -> Result<Json> {
        while let Some(message) = self.read()? {
            match message.get("action").as_str().unwrap_or_default() {
                "checkpoint" => return Ok(message),
                action if ACTIONS.contains(&action) => {
                    return Err(CheckpointError("InvalidStateException".to_owned()).into())
                }
                action => self.ignore(action)?,
            }
        }
        // The daemon has gone.
        Err(CheckpointError("ShutdownException".to_owned()).into())
    }

    /// A line break in front keeps the message whole behind anything that got onto STDOUT without one.
    fn write(&mut self, message: &str) -> io::Result<()> {
        self.output.write_all(format!("\n{message}\n").as_bytes())?;
        self.output.flush()
    }

    fn ignore(&mut self, action: &str) -> io::Result<()> {
        writeln!(self.errors, "kcl: ignoring an action that this client does not know: {action}")
    }
}

fn initialize_input(message: &Json) -> InitializeInput {
    InitializeInput {
        shard_id: text(message, "shardId"),
        sequence_number: text(message, "sequenceNumber"),
        sub_sequence_number: message.get("subSequenceNumber").as_i64().unwrap_or_default(),
    }
}

fn process_records_input(message: &Json) -> Result<ProcessRecordsInput> {
    let Json::Array(records) = message.get("records") else { return Err("processRecords without records".into()) };
    let record = |record: &Json| {
        let data = record.get("data").as_str().unwrap_or_default();
        Ok(Record {
            data: decode_base64(data).ok_or("the data of a record is not base64")?,
            partition_key: text(record, "partitionKey"),
            sequence_number: text(record, "sequenceNumber"),
            sub_sequence_number: record.get("subSequenceNumber").as_i64().unwrap_or_default(),
            approximate_arrival_timestamp: record.get("approximateArrivalTimestamp").as_i64(),
        })
    };
    Ok(ProcessRecordsInput {
        records: records.iter().map(record).collect::<Result<_>>()?,
        millis_behind_latest: message.get("millisBehindLatest").as_i64(),
    })
}

fn text(message: &Json, key: &str) -> String {
    message.get(key).as_str().unwrap_or_default().to_owned()
}

/// The standard alphabet, with padding, without line breaks.
fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut bits, mut count) = (0u32, 0);
    for digit in digits.bytes() {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    (count < 6).then_some(bytes)
}

/// Runs a processor on STDIN and STDOUT until STDIN is closed; return the code from `main`. On Unix descriptor 1 is
/// STDERR and descriptor 0 is empty from then on, so that nothing that the program, C code or a child process prints
/// gets between the messages, and nothing that they read takes messages away.
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
        // The standard library links the C library anyway, but has no name for this.
        fn dup2(from: c_int, to: c_int) -> c_int;
    }
    fn take(stream: BorrowedFd, replacement: BorrowedFd) -> io::Result<File> {
        let ours = stream.try_clone_to_owned()?;
        // SAFETY: two descriptors that are open, no memory.
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
