//! The part of JSON that the protocol needs, with only the standard library.

use std::borrow::Cow;
use std::fmt;

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
        let mut reader = Reader::new(text);
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

/// Reads a text value by value, and builds only the values that the caller requests.
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
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
        self.text.as_bytes().get(self.at).copied()
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
        // `find` checks many bytes at a time, unlike any loop that inspects each byte.
        let end = rest.find('"')?;
        let bytes = decode_base64(&rest.as_bytes()[..end])?;
        self.at += 1 + end + 1;
        Some(bytes)
    }

    fn word(&mut self) -> Result<Json, NotJson> {
        let rest = &self.text[self.at..];
        let end = rest.find([',', ']', '}', ' ', '\t', '\r', '\n']).unwrap_or(rest.len());
        let value = match &rest[..end] {
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
            let Some(plain) = rest.bytes().position(|b| b == b'"' || b == b'\\' || b < b' ') else {
                return self.fail();
            };
            string += &rest[..plain];
            self.at += plain;
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
        if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
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
        let digits =
            self.text.get(self.at + 1..self.at + 5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
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

const NO_DIGIT: u32 = 1 << 24;

/// For each position in a group of four digits: the bits that the byte contributes to the three
/// bytes, or a mark that it is not a digit.
static DIGITS: [[u32; 256]; 4] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut digits = [[NO_DIGIT; 256]; 4];
    let mut value = 0;
    while value < alphabet.len() {
        let mut place = 0;
        while place < 4 {
            digits[place][alphabet[value] as usize] = (value as u32) << (18 - 6 * place);
            place += 1;
        }
        value += 1;
    }
    digits
};

/// The standard alphabet, with padding, without line breaks.
pub(crate) fn decode_base64(text: &[u8]) -> Option<Vec<u8>> {
    let Some(whole) = text.len().checked_sub(4) else { return text.is_empty().then(Vec::new) };
    let (whole, last) = text.split_at(whole);
    let (last, size) = match last {
        [a, b, b'=', b'='] => ([*a, *b, b'A', b'A'], 1),
        [a, b, c, b'='] => ([*a, *b, *c, b'A'], 2),
        [a, b, c, d] => ([*a, *b, *c, *d], 3),
        _ => return None,
    };
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    bytes.resize(whole.len() / 4 * 3, 0);
    let mut wrong = group(last) | (whole.len() % 4) as u32 * NO_DIGIT;
    bytes.extend_from_slice(&group(last).to_be_bytes()[1..=size]);
    for (four, three) in whole.chunks_exact(4).zip(bytes.chunks_exact_mut(3)) {
        let value = group([four[0], four[1], four[2], four[3]]);
        wrong |= value;
        three.copy_from_slice(&value.to_be_bytes()[1..]);
    }
    (wrong < NO_DIGIT).then_some(bytes)
}

/// Decodes four digits to three bytes.
fn group([a, b, c, d]: [u8; 4]) -> u32 {
    DIGITS[0][a as usize] | DIGITS[1][b as usize] | DIGITS[2][c as usize] | DIGITS[3][d as usize]
}
