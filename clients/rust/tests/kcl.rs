//! Tests the client against conversations in memory. Only the tests of the process itself start
//! one.

use kcl::json::{quote, Json};
use kcl::{
    CheckpointError, Checkpointer, Daemon, InitializeInput, ProcessRecordsInput, Record, RecordProcessor, Result,
};
use std::cell::RefCell;
use std::io::Write;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

const SEQUENCE: &str = "49590338271490256608559692538361571095921575989136588898";
const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-0","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const ACK: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;

fn process() -> String {
    format!(
        r#"{{"action":"processRecords","records":[{{"data":"Y2F0","partitionKey":"schlüssel{}","sequenceNumber":"{SEQUENCE}","approximateArrivalTimestamp":1700000000123,"subSequenceNumber":3,"action":"record"}}],"millisBehindLatest":5}}"#,
        '\u{2028}'
    )
}

fn failed(error: &str) -> String {
    ACK.replace("\"error\":null", &format!("\"error\":{}", quote(error)))
}

fn status(action: &str) -> String {
    format!(r#"{{"action":"status","responseFor":"{action}"}}"#)
}

/// A processor whose process_records is a function. The other methods record what they received.
struct Functions<F> {
    process: F,
    seen: Vec<String>,
    initialized: Option<InitializeInput>,
}

fn functions<F: FnMut(&ProcessRecordsInput, &mut Checkpointer) -> Result>(process: F) -> Functions<F> {
    Functions { process, seen: vec![], initialized: None }
}

fn checkpointing() -> impl RecordProcessor {
    functions(|_, checkpointer| checkpointer.checkpoint())
}

impl<F: FnMut(&ProcessRecordsInput, &mut Checkpointer) -> Result> RecordProcessor for Functions<F> {
    fn initialize(&mut self, input: &InitializeInput, _: &mut Daemon) -> Result {
        self.initialized = Some(input.clone());
        Ok(())
    }

    fn process_records(&mut self, input: &ProcessRecordsInput, checkpointer: &mut Checkpointer) -> Result {
        (self.process)(input, checkpointer)
    }

    fn lease_lost(&mut self, daemon: &mut Daemon) -> Result {
        self.seen.push("leaseLost".into());
        Ok(daemon.log("info", "gone")?)
    }

    fn shard_ended(&mut self, checkpointer: &mut Checkpointer) -> Result {
        self.seen.push("shardEnded".into());
        checkpointer.checkpoint()
    }

    fn shutdown_requested(&mut self, checkpointer: &mut Checkpointer) -> Result {
        self.seen.push("shutdownRequested".into());
        checkpointer.checkpoint()
    }
}

struct Played {
    written: Vec<String>,
    errors: String,
    waits: Vec<Duration>,
    result: Result,
}

impl Played {
    fn failure(&self) -> Option<&CheckpointError> {
        self.result.as_ref().err()?.downcast_ref()
    }
}

fn play(processor: &mut impl RecordProcessor, messages: &[&str]) -> Played {
    play_with(processor, messages, false)
}

fn play_with(processor: &mut impl RecordProcessor, messages: &[&str], logs: bool) -> Played {
    let (mut output, mut errors, waits) = (vec![], vec![], RefCell::new(vec![]));
    let input = messages.join("\n");
    let result = Daemon::new(input.as_bytes(), &mut output, &mut errors)
        .sleep(|wait| waits.borrow_mut().push(wait))
        .logs(logs)
        .serve(processor);
    let written = String::from_utf8(output).unwrap();
    Played {
        written: written.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect(),
        errors: String::from_utf8(errors).unwrap(),
        waits: waits.into_inner(),
        result,
    }
}

#[test]
fn answers_every_action_and_gives_the_fields_of_the_messages() {
    let mut batch = None;
    let mut processor = functions(|input, _| {
        batch = Some(input.clone());
        Ok(())
    });
    let actions = [
        INITIALIZE,
        &process(),
        r#"{"action":"shutdownRequested"}"#,
        ACK,
        r#"{"action":"leaseLost"}"#,
        SHARD_ENDED,
        ACK,
    ];
    let played = play(&mut processor, &actions);
    played.result.unwrap();
    let statuses: Vec<_> = played.written.iter().filter(|line| line.contains("status")).cloned().collect();
    assert_eq!(statuses, ["initialize", "processRecords", "shutdownRequested", "leaseLost", "shardEnded"].map(status));
    assert_eq!(processor.seen, ["shutdownRequested", "leaseLost", "shardEnded"]);
    let first = InitializeInput {
        shard_id: "shardId-0".into(),
        sequence_number: "TRIM_HORIZON".into(),
        sub_sequence_number: 0,
    };
    assert_eq!(processor.initialized, Some(first));
    let record = Record {
        data: b"cat".to_vec(),
        partition_key: "schlüssel\u{2028}".into(),
        sequence_number: SEQUENCE.into(),
        sub_sequence_number: 3,
        approximate_arrival_timestamp: Some(1_700_000_000_123),
    };
    assert_eq!(batch, Some(ProcessRecordsInput { records: vec![record], millis_behind_latest: Some(5) }));
}

#[test]
fn checkpoint_arguments() {
    let request =
        |at: &str, sub: &str| format!(r#"{{"action":"checkpoint","sequenceNumber":{at},"subSequenceNumber":{sub}}}"#);
    let played = play(&mut checkpointing(), &[&process(), ACK]);
    assert_eq!(played.written, [request("null", "null"), status("processRecords")]);
    let played = play(&mut functions(|_, checkpointer| checkpointer.checkpoint_at("7", 2)), &[&process(), ACK]);
    assert_eq!(played.written, [request("\"7\"", "2"), status("processRecords")]);
    let mut processor = functions(|input, checkpointer| checkpointer.checkpoint_record(&input.records[0]));
    let played = play(&mut processor, &[&process(), ACK]);
    assert_eq!(played.written, [request(&quote(SEQUENCE), "3"), status("processRecords")]);
}

#[test]
fn retries_throttled_checkpoints() {
    let errors = ["ThrottlingException", "KinesisClientLibDependencyException", "ThrottlingException"].map(failed);
    let played = play(&mut checkpointing(), &[&process(), &errors[0], &errors[1], &errors[2], ACK]);
    played.result.unwrap();
    assert_eq!((played.written.len(), played.waits.len()), (5, 3));
    for (at, wait) in played.waits.iter().enumerate() {
        let longest = Duration::from_millis(200 << at);
        assert!(*wait >= longest / 2 && *wait <= longest, "wait {at}: {wait:?}");
    }
}

#[test]
fn gives_up_after_eight_attempts() {
    let (process, error) = (process(), failed("ThrottlingException"));
    let mut messages = vec![process.as_str()];
    messages.extend([error.as_str(); 8]);
    let played = play(&mut checkpointing(), &messages);
    assert_eq!(played.failure(), Some(&CheckpointError("ThrottlingException".into())));
    assert_eq!(played.written.len(), 8);
}

#[test]
fn does_not_retry_errors_that_cannot_succeed() {
    for error in ["ShutdownException", "InvalidStateException", "IllegalArgumentException", "NullPointerException"] {
        let played = play(&mut checkpointing(), &[&process(), &failed(error)]);
        let failure = played.failure().expect(error);
        assert_eq!((failure.0.as_str(), failure.is_shutdown()), (error, error == "ShutdownException"));
        assert_eq!(played.written.len(), 1);
    }
}

#[test]
fn any_other_message_than_the_response_is_an_error() {
    let played = play(&mut checkpointing(), &[&process(), &process()]);
    assert_eq!(played.failure(), Some(&CheckpointError("InvalidStateException".into())));
    assert!(play(&mut checkpointing(), &[&process()]).failure().unwrap().is_shutdown());
    play(&mut checkpointing(), &[&process(), r#"{"action":"dance"}"#, ACK]).result.unwrap();
}

#[test]
fn an_error_ends_without_a_status() {
    let played = play(&mut functions(|_, _| Err("no".into())), &[&process(), &process()]);
    assert_eq!(played.result.unwrap_err().to_string(), "no");
    assert!(played.written.is_empty());
}

#[test]
fn ignores_blank_lines_and_unknown_actions() {
    let played = play(&mut checkpointing(), &["", "  ", r#"{"action":"dance"}"#, "{}", ACK, INITIALIZE]);
    played.result.unwrap();
    assert_eq!(played.written, [status("initialize")]);
    assert!(played.errors.contains("dance"));
}

#[test]
fn a_line_that_is_not_a_message_is_an_error() {
    let wrong_data = process().replace("Y2F0", "Y2F?");
    let half_a_byte = process().replace("Y2F0", "Y2F0Y");
    for line in
        ["null", "7", "{", r#"{"action":"initialize""#, r#"{"action":"processRecords"}"#, &wrong_data, &half_a_byte]
    {
        assert!(play(&mut checkpointing(), &[line]).result.is_err(), "{line}");
    }
}

#[test]
fn a_long_line() {
    let mut length = 0;
    let mut processor = functions(|input, _| {
        length = input.records[0].data.len();
        Ok(())
    });
    play(&mut processor, &[&process().replace("Y2F0", &"AAAA".repeat(4 << 20))]).result.unwrap();
    assert_eq!(length, 12 << 20);
}

#[test]
fn log_goes_to_a_daemon_that_supports_it() {
    let mut talking = functions(|_, checkpointer| Ok(checkpointer.log("warn", "slow \"\n")?));
    let without = play(&mut talking, &[&process()]);
    assert_eq!((without.written, without.errors.as_str()), (vec![status("processRecords")], "warn: slow \"\n\n"));
    let with = play_with(&mut talking, &[&process()], true);
    assert_eq!(with.written[0], r#"{"action":"log","level":"warn","message":"slow \"\u000a"}"#);
}

#[test]
fn base64_of_every_length() {
    for (text, data) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Pz8/Pj4+", "???>>>")] {
        let mut got = vec![];
        let mut processor = functions(|input, _| {
            got = input.records[0].data.clone();
            Ok(())
        });
        play(&mut processor, &[&process().replace("Y2F0", text)]).result.unwrap();
        assert_eq!(got, data.as_bytes());
    }
}

#[test]
fn json_that_is_read() {
    let number = |text: &str| Json::Number(text.into());
    let items = vec![
        number("1"),
        number("-2.5"),
        number("1e+3"),
        Json::Bool(true),
        Json::Bool(false),
        Json::Null,
        Json::Object(vec![]),
        Json::Array(vec![]),
    ];
    let text =
        r#" {"a" : [1, -2.5, 1e+3, true, false, null, {}, []], "b": "é\u00e9\"\\\/\b\f\n\r\t\ud83d\ude00\ud83dx"} "#;
    let value = Json::parse(text).unwrap();
    assert_eq!(*value.get("a"), Json::Array(items));
    assert_eq!(value.get("b").as_str(), Some("éé\"\\/\u{8}\u{c}\n\r\t😀\u{fffd}x"));
    assert_eq!(*value.get("c"), Json::Null);
    assert_eq!(Json::parse(&quote("a\"\\\n\u{1}😀")).unwrap().as_str(), Some("a\"\\\n\u{1}😀"));
}

#[test]
fn json_that_is_refused() {
    let deep = "[".repeat(200);
    let wrong = [
        "",
        "{",
        "[1,]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        "{a:1}",
        "01",
        "1.",
        ".5",
        "-",
        "1e",
        "+1",
        "nul",
        "\"",
        r#""\x""#,
        r#""\u12""#,
        r#""\u12é4""#,
        "\"\t\"",
        "1 2",
        "\u{a0}1",
        &deep,
    ];
    for text in wrong {
        assert!(Json::parse(text).is_err(), "{text}");
    }
}

/// Not a test: the program that the last two tests start, in the test's own executable.
#[test]
#[ignore]
fn program() {
    let outcome = kcl::run(functions(|_, _| match std::env::var("KCL_TEST_PROGRAM").as_deref() {
        Ok("fails") => Err("no such file".into()),
        _ => {
            println!("hello");
            Command::new("sh").args(["-c", "echo child; cat"]).status()?;
            std::io::copy(&mut std::io::stdin(), &mut std::io::stdout())?;
            Ok(())
        }
    }));
    assert_eq!(outcome, ExitCode::SUCCESS);
}

fn start(name: &str) -> (String, String, bool) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "program", "--ignored", "--nocapture"])
        .env("KCL_TEST_PROGRAM", name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A child that fails does not read the whole input.
    let _ = write!(
        child.stdin.take().unwrap(),
        "{}\n{{\"action\":\"leaseLost\",\"longerThanAnyBuffer\":\"{}\"}}\n",
        process(),
        "A".repeat(300_000)
    );
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (text(output.stdout), text(output.stderr), output.status.success())
}

#[test]
#[cfg(unix)]
fn in_a_process_prints_stay_off_stdout() {
    let (out, err, success) = start("prints");
    assert!(success && out.contains(&status("processRecords")) && out.contains(&status("leaseLost")), "{out}");
    assert!(!out.contains("hello") && !out.contains("child"), "{out}");
    assert!(err.contains("hello\n") && err.contains("child\n"), "{err}");
}

#[test]
fn in_a_process_failures_end_it() {
    let (out, err, success) = start("fails");
    assert!(!success && !out.contains("status") && err.contains("no such file"), "{out}{err}");
}
