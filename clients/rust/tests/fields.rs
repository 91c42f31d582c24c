//! Checks random batches, intact and damaged: the processor must receive what a plain JSON tree of
//! the line contains.

use kcl::json::Json;
use kcl::{Checkpointer, Daemon, ProcessRecordsInput, Record, RecordProcessor, Result};
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

const LINES: usize = 4_000;

struct Keep(Option<ProcessRecordsInput>);

impl RecordProcessor for Keep {
    fn process_records(&mut self, input: &ProcessRecordsInput, _: &mut Checkpointer) -> Result {
        self.0 = Some(input.clone());
        Ok(())
    }

    fn shard_ended(&mut self, _: &mut Checkpointer) -> Result {
        Ok(())
    }
}

/// What the client reads from a line.
fn read(line: &str) -> Result<Option<ProcessRecordsInput>> {
    let mut keep = Keep(None);
    let (mut output, mut errors) = (vec![], vec![]);
    Daemon::new(line.as_bytes(), &mut output, &mut errors).serve(&mut keep)?;
    Ok(keep.0)
}

/// The same, read from the tree.
fn obvious(line: &str) -> Option<Option<ProcessRecordsInput>> {
    let tree = Json::parse(line).ok()?;
    let Json::Object(_) = tree else { return None };
    if tree.get("action").as_str() != Some("processRecords") {
        return Some(None);
    }
    let Json::Array(records) = tree.get("records") else { return None };
    let text = |of: &Json, key| of.get(key).as_str().unwrap_or_default().to_owned();
    let records = records.iter().map(|record| {
        Some(Record {
            data: decode(&text(record, "data"))?,
            partition_key: text(record, "partitionKey"),
            sequence_number: text(record, "sequenceNumber"),
            sub_sequence_number: record.get("subSequenceNumber").as_i64().unwrap_or_default(),
            approximate_arrival_timestamp: record.get("approximateArrivalTimestamp").as_i64(),
        })
    });
    let millis_behind_latest = tree.get("millisBehindLatest").as_i64();
    Some(Some(ProcessRecordsInput { records: records.collect::<Option<_>>()?, millis_behind_latest }))
}

const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_suffix("==").or(text.strip_suffix('=')).unwrap_or(text);
    let mut bits = String::new();
    for digit in digits.chars() {
        bits += &format!("{:06b}", ALPHABET.find(digit)?);
    }
    let bytes: Vec<_> = bits.as_bytes().chunks_exact(8).map(|byte| std::str::from_utf8(byte).unwrap()).collect();
    let bytes = bytes.iter().map(|byte| u8::from_str_radix(byte, 2).unwrap()).collect();
    (text.len() % 4 == 0).then_some(bytes)
}

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }

    fn many(&mut self, most: usize, of: &[&str]) -> String {
        (0..self.below(most + 1)).map(|_| self.one(of)).collect()
    }

    fn string(&mut self) -> String {
        let parts = ["a", "key", "7", "\\\"", "\\\\", "\\u2028", "\\ud83d\\ude00", "\u{2028}", "é", "😀", "{", "],"];
        format!("\"{}\"", self.many(5, &parts))
    }

    fn number(&mut self) -> &'static str {
        self.one(&[
            "0",
            "7",
            "-3",
            "1767225601000",
            "9223372036854775807",
            "99999999999999999999",
            "1e2",
            "null",
            "\"7\"",
        ])
    }

    fn data(&mut self) -> String {
        let groups = self.many(20, &["AAAA", "Zm9v", "/+09", "abcd"]);
        let end =
            self.one(&["", "Zg==", "Zm8=", "Zm9v", "Zg", "=", "====", "Z===", "\\u003d", "?AAA", "Zg==AAAA", "é"]);
        let end = if self.below(3) == 0 { end } else { "" };
        format!("\"{groups}{end}\"")
    }

    /// The fields in any order, sometimes with one missing or one added.
    fn object(&mut self, fields: Vec<(&str, String)>) -> String {
        let mut parts = vec![];
        for (key, value) in fields {
            if self.below(15) > 0 {
                let space = self.one(&["", "", " ", "\t"]);
                parts.insert(self.below(parts.len() + 1), format!("{space}\"{key}\"{space}:{space}{value}{space}"));
            }
        }
        if self.below(3) == 0 {
            let value = self.one(&["true", "[1,{\"data\":\"?\"}]", "{\"a\":[]}", "null", "-1.5e3", "\"x\""]);
            parts.insert(self.below(parts.len() + 1), format!("\"unknown\":{value}"));
        }
        format!("{{{}}}", parts.join(","))
    }

    fn line(&mut self) -> String {
        let mut records = vec![];
        for _ in 0..self.below(4) {
            let fields = vec![
                ("data", self.data()),
                ("partitionKey", self.string()),
                ("sequenceNumber", self.string()),
                ("approximateArrivalTimestamp", self.number().to_owned()),
                ("subSequenceNumber", self.number().to_owned()),
                ("action", "\"record\"".to_owned()),
            ];
            records.push(self.object(fields));
        }
        let fields = vec![
            ("action", "\"processRecords\"".to_owned()),
            ("records", format!("[{}]", records.join(","))),
            ("millisBehindLatest", self.number().to_owned()),
        ];
        self.object(fields)
    }
}

#[test]
fn a_batch_equals_the_tree_of_its_line() {
    let seed = RandomState::new().build_hasher().finish();
    let mut random = Random(seed);
    let mut batches = 0;
    for _ in 0..LINES {
        let mut line: Vec<char> = random.line().chars().collect();
        if random.below(2) == 0 {
            for _ in 0..random.below(3) {
                let at = random.below(line.len());
                match random.below(3) {
                    0 => drop(line.remove(at)),
                    1 => line[at] = random.one(&["\"", "\\", "{", "]", ",", "e", "="]).chars().next().unwrap(),
                    _ => {
                        line.insert(at, random.one(&["\"", "\\", "}", "[", ":", "0", "\u{1f}"]).chars().next().unwrap())
                    }
                }
            }
        }
        let line: String = line.into_iter().collect();
        let wanted = obvious(&line);
        let got = read(&line);
        assert_eq!(got.as_ref().ok(), wanted.as_ref(), "seed {seed}: {line}\n{got:?}");
        batches += usize::from(matches!(wanted, Some(Some(_))));
    }
    assert!(batches > LINES / 10, "{batches} batches");
}
