//! The part of JSON that the protocol needs, with only the standard library.

use std::borrow::Cow;
use std::fmt;
use std::str::from_utf8;

/// One value. A number keeps its text, because not every number fits a machine type.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The position where the text stopped being JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotJson {
    pub at: usize,
}

impl fmt::Display for NotJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not JSON at byte {}", self.at)
    }
}

impl std::error::Error for NotJson {}

const DEEPEST: usize = 100;

impl Json {
    pub fn parse(text: &str) -> Result<Json, NotJson> {
        let mut reader = Reader::new(text.as_bytes());
        let value = reader.value(0)?;
        reader.end().map(|()| value)
    }

    /// A member of an object, or null if there is none.
    pub fn get(&self, key: &str) -> &Json {
        let Json::Object(members) = self else { return &Json::Null };
        members.iter().rfind(|(name, _)| name == key).map_or(&Json::Null, |(_, value)| value)
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// Accepts whole numbers only.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Json::Number(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// A string as JSON writes it.
pub fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads a text value by value, and builds only the values that the caller requests. Only strings
/// are checked to be UTF-8; elsewhere JSON has no characters beyond ASCII.
pub(crate) struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a [u8]) -> Self {
        Reader { text, at: 0 }
    }

    /// Fails unless only blanks are left.
    pub(crate) fn end(&mut self) -> Result<(), NotJson> {
        self.peek().map_or(Ok(()), |_| self.fail())
    }

    fn fail<T>(&self) -> Result<T, NotJson> {
        Err(NotJson { at: self.at })
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    pub(crate) fn peek(&mut self) -> Option<u8> {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.byte()
    }

    fn taken(&mut self, wanted: u8) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, wanted: u8) -> Result<(), NotJson> {
        if self.taken(wanted) {
            Ok(())
        } else {
            self.fail()
        }
    }

    /// Reads the next value, of any type.
    pub(crate) fn value(&mut self, depth: usize) -> Result<Json, NotJson> {
        if depth > DEEPEST {
            return self.fail();
        }
        match self.peek() {
            Some(b'"') => Ok(Json::String(self.string()?.into_owned())),
            Some(b'{') => {
                let mut members = Vec::new();
                self.object(|reader, key| {
                    members.push((key.into_owned(), reader.value(depth + 1)?));
                    Ok(())
                })?;
                Ok(Json::Object(members))
            }
            Some(b'[') => {
                let mut items = Vec::new();
                self.array(|reader| {
                    items.push(reader.value(depth + 1)?);
                    Ok(())
                })?;
                Ok(Json::Array(items))
            }
            _ => self.word(),
        }
    }

    /// Calls `member` with each key. `member` reads the value.
    pub(crate) fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), NotJson>,
    ) -> Result<(), NotJson> {
        self.expect(b'{')?;
        if self.taken(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return self.fail();
            }
            let key = self.string()?;
            self.expect(b':')?;
            member(self, key)?;
            if !self.taken(b',') {
                return self.expect(b'}');
            }
        }
    }

    /// Calls `item` to read each value.
    pub(crate) fn array(&mut self, mut item: impl FnMut(&mut Self) -> Result<(), NotJson>) -> Result<(), NotJson> {
        self.expect(b'[')?;
        if self.taken(b']') {
            return Ok(());
        }
        loop {
            item(self)?;
            if !self.taken(b',') {
                return self.expect(b']');
            }
        }
    }

    /// The bytes of a string that is base64 without escapes. Otherwise nothing, and the string is
    /// not consumed.
    pub(crate) fn base64(&mut self) -> Option<Vec<u8>> {
        if self.peek() != Some(b'"') {
            return None;
        }
        let rest = &self.text[self.at + 1..];
        let end = quote_in(rest)?;
        let bytes = decode_base64(&rest[..end])?;
        self.at += 1 + end + 1;
        Some(bytes)
    }

    fn word(&mut self) -> Result<Json, NotJson> {
        let rest = &self.text[self.at..];
        let end = rest.iter().position(|b| b",]} \t\r\n".contains(b)).unwrap_or(rest.len());
        let value = match from_utf8(&rest[..end]).unwrap_or_default() {
            "null" => Json::Null,
            "true" => Json::Bool(true),
            "false" => Json::Bool(false),
            text if is_number(text) => Json::Number(text.to_owned()),
            _ => return self.fail(),
        };
        self.at += end;
        Ok(value)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, NotJson> {
        let mut string = Cow::Borrowed("");
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            // Almost always this is the closing quote, and nothing is copied.
            let Some(end) = rest.iter().position(|&b| b == b'"' || b == b'\\' || b < b' ') else {
                return self.fail();
            };
            let Ok(plain) = from_utf8(&rest[..end]) else { return self.fail() };
            string += plain;
            self.at += end;
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(string);
                }
                Some(b'\\') => string.to_mut().push(self.escaped()?),
                _ => return self.fail(),
            }
        }
    }

    fn escaped(&mut self) -> Result<char, NotJson> {
        self.at += 1;
        let Some(next) = self.byte() else { return self.fail() };
        if next == b'u' {
            return self.unicode();
        }
        let Some(which) = b"\"\\/bfnrt".iter().position(|&b| b == next) else { return self.fail() };
        self.at += 1;
        Ok(['"', '\\', '/', '\u{8}', '\u{c}', '\n', '\r', '\t'][which])
    }

    /// Reads one `\u`, or two for a character beyond the first 65,536. Half a pair becomes U+FFFD.
    fn unicode(&mut self) -> Result<char, NotJson> {
        let first = self.hex()?;
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 1;
            let second = self.hex()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or('\u{fffd}'))
    }

    fn hex(&mut self) -> Result<u32, NotJson> {
        let digits = self.text.get(self.at + 1..self.at + 5).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| from_utf8(digits).ok());
        let Some(code) = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()) else { return self.fail() };
        self.at += 5;
        Ok(code)
    }
}

fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && digits(fraction) && digits(exponent)
}

/// Where the next quote is. A compiler turns the check of a block into a few vector instructions,
/// which it does not do with a loop that may end at each byte.
fn quote_in(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 64;
    let has_quote = |block: &[u8]| block.iter().fold(false, |found, &b| found | (b == b'"'));
    let from = BLOCK * text.chunks_exact(BLOCK).take_while(|block| !has_quote(block)).count();
    Some(from + text[from..].iter().position(|&b| b == b'"')?)
}

const NOT_PAIR: u16 = 1 << 15;

/// The twelve bits of every two base64 digits, indexed as a little-endian number.
static PAIRS: [u16; 1 << 16] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pairs = [NOT_PAIR; 1 << 16];
    let mut value = 0;
    while value < 1 << 12 {
        let pair = [alphabet[value >> 6], alphabet[value & 63]];
        pairs[u16::from_le_bytes(pair) as usize] = value as u16;
        value += 1;
    }
    pairs
};

/// The standard alphabet, with padding, without line breaks.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 != 0 {
        return None;
    }
    let padding = text.iter().rev().take(2).take_while(|&&b| b == b'=').count();
    let (whole, rest) = text.split_at(text.len().saturating_sub(1) / 8 * 8);
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    bytes.resize(whole.len() / 8 * 6, 0);
    let mut seen = 0;
    for (eight, six) in whole.chunks_exact(8).zip(bytes.chunks_exact_mut(6)) {
        six.copy_from_slice(&decode_eight(eight.try_into().unwrap_or_default(), &mut seen));
    }
    let mut last = [b'A'; 8];
    let digits = rest.len() - padding;
    last[..digits].copy_from_slice(&rest[..digits]);
    bytes.extend_from_slice(&decode_eight(last, &mut seen)[..rest.len() / 4 * 3 - padding]);
    (seen < NOT_PAIR).then_some(bytes)
}

/// Adds to `seen` what it found: at least `NOT_PAIR` if not all are digits.
fn decode_eight(digits: [u8; 8], seen: &mut u16) -> [u8; 6] {
    let digits = u64::from_le_bytes(digits);
    let [a, b, c, d] = [0, 16, 32, 48].map(|shift| PAIRS[usize::from((digits >> shift) as u16)]);
    *seen |= a | b | c | d;
    let bits = u64::from(a) << 36 | u64::from(b) << 24 | u64::from(c) << 12 | u64::from(d);
    let [_, _, bytes @ ..] = bits.to_be_bytes();
    bytes
}
