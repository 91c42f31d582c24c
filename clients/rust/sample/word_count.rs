//! Counts words: each record is one UTF-8 word. The sample stores a shard's counts before each
//! checkpoint, so a restart continues from counts that match the checkpoint. If the process dies
//! between the two, it counts the words since the last checkpoint twice.

use kcl::json::{quote, Json};
use kcl::{CheckpointError, Checkpointer, Daemon, InitializeInput, ProcessRecordsInput, RecordProcessor, Result};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, fs, io, process};

const CHECKPOINT_EVERY: Duration = Duration::from_secs(1);

struct WordCount {
    directory: Option<PathBuf>,
    shard_id: String,
    counts: BTreeMap<String, i64>,
    last_checkpoint: Option<Instant>,
}

impl RecordProcessor for WordCount {
    fn initialize(&mut self, input: &InitializeInput, _daemon: &mut Daemon) -> Result {
        self.shard_id = input.shard_id.clone();
        let checkpoint = &input.sequence_number;
        // Without a checkpoint all records arrive again, so counting starts at zero.
        if checkpoint.is_empty() || !checkpoint.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(());
        }
        let Some(file) = self.file() else { return Ok(()) };
        match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error.into()),
            Ok(text) => {
                let Json::Object(counts) = Json::parse(&text)? else {
                    return Err("the counts are no JSON object".into());
                };
                let count = |(word, count): (String, Json)| Some((word, count.as_i64()?));
                self.counts = counts.into_iter().map(count).collect::<Option<_>>().ok_or("a count is no number")?;
                Ok(())
            }
        }
    }

    fn process_records(&mut self, input: &ProcessRecordsInput, checkpointer: &mut Checkpointer) -> Result {
        for record in &input.records {
            *self.counts.entry(String::from_utf8_lossy(&record.data).into_owned()).or_default() += 1;
        }
        if self.last_checkpoint.is_some_and(|last| last.elapsed() < CHECKPOINT_EVERY) {
            return Ok(());
        }
        self.checkpoint(checkpointer)?;
        self.last_checkpoint = Some(Instant::now());
        Ok(())
    }

    fn lease_lost(&mut self, _daemon: &mut Daemon) -> Result {
        self.report();
        Ok(())
    }

    fn shard_ended(&mut self, checkpointer: &mut Checkpointer) -> Result {
        self.checkpoint(checkpointer)?;
        self.report();
        Ok(())
    }

    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer) -> Result {
        self.checkpoint(checkpointer)
    }
}

impl WordCount {
    fn file(&self) -> Option<PathBuf> {
        self.directory.as_ref().map(|directory| directory.join(format!("{}.json", self.shard_id)))
    }

    fn checkpoint(&self, checkpointer: &mut Checkpointer) -> Result {
        if let Some(file) = self.file() {
            let draft = file.with_extension(format!("json.{}.tmp", process::id()));
            fs::write(&draft, self.to_json())?;
            fs::rename(&draft, &file)?;
        }
        match checkpointer.checkpoint() {
            // Another worker holds the shard now; lease_lost follows.
            Err(error) if error.downcast_ref().is_some_and(CheckpointError::is_shutdown) => Ok(()),
            stored => stored,
        }
    }

    fn to_json(&self) -> String {
        let counts: Vec<_> = self.counts.iter().map(|(word, count)| format!("{}:{count}", quote(word))).collect();
        format!("{{{}}}", counts.join(","))
    }

    fn report(&self) {
        if self.directory.is_none() {
            eprintln!("{}: {}", self.shard_id, self.to_json());
        }
    }
}

fn main() -> ExitCode {
    kcl::run(WordCount {
        directory: env::var_os("WORD_COUNT_DIR").map(PathBuf::from),
        shard_id: String::new(),
        counts: BTreeMap::new(),
        last_checkpoint: None,
    })
}
