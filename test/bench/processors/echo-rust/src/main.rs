//! The echo processor on our Rust client, which decodes each record's data.
//! ../../../go/echochild/main.go describes its notes.

use kcl::{Checkpointer, Daemon, InitializeInput, ProcessRecordsInput, RecordProcessor, Result};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

struct Echo {
    notes: File,
}

impl Echo {
    fn note(&mut self, word: &str, numbers: &str) -> Result {
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
        Ok(writeln!(self.notes, "{word} {nanos}{numbers}")?)
    }
}

impl RecordProcessor for Echo {
    fn initialize(&mut self, _input: &InitializeInput, _daemon: &mut Daemon) -> Result {
        self.note("init", "")
    }

    fn process_records(&mut self, input: &ProcessRecordsInput, _checkpointer: &mut Checkpointer) -> Result {
        let bytes: usize = input.records.iter().map(|record| record.data.len()).sum();
        self.note("batch", &format!(" {} {bytes}", input.records.len()))
    }

    fn shard_ended(&mut self, checkpointer: &mut Checkpointer) -> Result {
        checkpointer.checkpoint()
    }

    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer) -> Result {
        checkpointer.checkpoint()
    }
}

fn main() -> ExitCode {
    let folder = std::env::var("BENCH_NOTES").expect("BENCH_NOTES names a folder");
    let file = Path::new(&folder).join(std::process::id().to_string());
    let mut echo = Echo { notes: File::create(file).expect("notes can be written") };
    echo.note("start", "").expect("notes can be written");
    kcl::run(echo)
}
