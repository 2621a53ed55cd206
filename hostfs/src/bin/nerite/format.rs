//! The text of a dump: JSON, an object on each line.
//!
//! ```text
//! {"dump":"nerite","version":1}
//! {"key":"net/host","time":"2026-01-02T03:04:05.000000006Z","value":"gateway"}
//! {"key64":"/w==","time":"2026-01-02T03:04:05Z","value64":"AP8="}
//! {"lump":"0x0000000000000000000000000000002a","value":"answer"}
//! {"end":true,"rows":3,"sha256":"..."}
//! ```
//!
//! Keys and values are text where they are UTF-8, and base64 where they are not. Keys come first, in
//! key order, and then lumps, in that of their numbers; each once. Times are those of the last change;
//! without one, it is the time of loading. The last line says how many there were, and, unless somebody
//! wrote it by hand, the SHA-256 of all lines before it, ends of lines included. So a dump that was cut
//! short or damaged is told from a whole one.

use crate::{number, time};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use nerite::{Key, LumpId, Name, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const VERSION: u32 = 1;

/// A value and its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) name: Name,
    pub(crate) value: Vec<u8>,
    /// When it was last changed, if that is said.
    pub(crate) time: Option<Timestamp>,
}

impl Row {
    /// Bytes of the name and the value.
    pub(crate) fn len(&self) -> u64 {
        let name = match &self.name {
            Name::Key(key) => key.as_bytes().len(),
            Name::Lump(LumpId(id)) => size_of_val(id),
        };
        (name + self.value.len()) as u64
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Head {
    dump: String,
    version: u32,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lump: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    value64: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "the names of JSON")]
struct End {
    end: bool,
    rows: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
}

/// Makes the lines of a dump, with their ends.
#[derive(Default)]
pub(crate) struct Writer {
    rows: u64,
    hash: Sha256,
}

impl Writer {
    pub(crate) fn head(&mut self) -> String {
        let line = json(&Head { dump: "nerite".into(), version: VERSION });
        self.hashed(line)
    }

    pub(crate) fn key(&mut self, key: &Key, value: &[u8], time: Timestamp) -> String {
        let (key, key64) = text_or_base64(key.as_bytes());
        self.row(Fields { key, key64, ..Fields::default() }, value, time)
    }

    pub(crate) fn lump(&mut self, id: LumpId, value: &[u8], time: Timestamp) -> String {
        self.row(Fields { lump: Some(format!("0x{id}")), ..Fields::default() }, value, time)
    }

    fn row(&mut self, fields: Fields, value: &[u8], time: Timestamp) -> String {
        let (value, value64) = text_or_base64(value);
        self.rows += 1;
        let time = Some(time::shown(time));
        let line = json(&Fields { time, value, value64, ..fields });
        self.hashed(line)
    }

    pub(crate) fn end(self) -> String {
        json(&End { end: true, rows: self.rows, sha256: Some(shown(&self.hash)) })
    }

    fn hashed(&mut self, line: String) -> String {
        self.hash.update(&line);
        line
    }
}

/// Nothing in these types can fail to be written: names are text, and so is all else.
fn json(value: &impl Serialize) -> String {
    let mut line = serde_json::to_string(value).unwrap_or_default();
    line.push('\n');
    line
}

fn text_or_base64(bytes: &[u8]) -> (Option<String>, Option<String>) {
    match str::from_utf8(bytes) {
        Ok(text) => (Some(text.to_owned()), None),
        Err(_) => (None, Some(STANDARD.encode(bytes))),
    }
}

/// Adds what a value is called to an object of JSON.
pub(crate) fn name_fields(name: &Name, fields: &mut serde_json::Value) {
    let (field, text) = match name {
        Name::Lump(id) => ("lump", format!("0x{id}")),
        Name::Key(key) => match text_or_base64(key.as_bytes()) {
            (Some(text), _) => ("key", text),
            (None, base64) => ("key64", base64.unwrap_or_default()),
        },
    };
    fields[field] = text.into();
}

fn shown(hash: &Sha256) -> String {
    nerite::Digest(hash.clone().finalize().into()).to_string()
}

/// Reads the lines of a dump, and checks that they make a whole one.
#[derive(Default)]
pub(crate) struct Reader {
    lines: u64,
    rows: u64,
    hash: Sha256,
    last: Option<Name>,
    ended: bool,
}

impl Reader {
    /// Reads the next line; `None` if it is no row.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<Option<Row>, String> {
        self.lines += 1;
        let row = match self.lines {
            _ if self.ended => return Err("something follows the end".into()),
            1 => head(line).map(|()| None),
            _ if is_end(line) => self.end(line).map(|()| None),
            _ => self.row(line).map(Some),
        };
        self.hash.update(line);
        row
    }

    /// Lines that were read.
    pub(crate) fn lines(&self) -> u64 {
        self.lines
    }

    /// There are no more lines.
    ///
    /// # Errors
    /// If there should be.
    pub(crate) fn finish(&self) -> Result<(), String> {
        match (self.lines, self.ended) {
            (0, _) => Err("it is empty: this is no dump".into()),
            (_, false) => Err("it is cut short: the line that ends a dump is missing".into()),
            (_, true) => Ok(()),
        }
    }

    fn row(&mut self, line: &[u8]) -> Result<Row, String> {
        let fields: Fields = parse(line)?;
        let name = match fields.lump {
            Some(id) if fields.key.is_none() && fields.key64.is_none() => {
                Name::Lump(number::parse(&id)?)
            }
            Some(_) => return Err("a row has either a key or a lump".into()),
            None => Name::Key(key(bytes(fields.key, fields.key64, "key")?)?),
        };
        let value = bytes(fields.value, fields.value64, "value")?;
        let time = fields.time.map(|text| time::parse(&text)).transpose()?;
        if let Some(last) = self.last.as_ref().filter(|last| **last >= name) {
            return Err(format!("{name} comes after {last}, out of order"));
        }
        // What is below a value would come right behind it.
        if let (Some(Name::Key(last)), Name::Key(key)) = (&self.last, &name)
            && key.starts_with(last)
        {
            return Err(format!("{key} is below {last}, which has a value"));
        }
        self.last = Some(name.clone());
        self.rows += 1;
        Ok(Row { name, value, time })
    }

    fn end(&mut self, line: &[u8]) -> Result<(), String> {
        let end: End = parse(line)?;
        if end.rows != self.rows {
            return Err(format!("it has {} keys, and says {}", self.rows, end.rows));
        }
        if end.sha256.is_some_and(|sha256| sha256 != shown(&self.hash)) {
            return Err("its SHA-256 is not that of its lines".into());
        }
        self.ended = true;
        Ok(())
    }
}

fn head(line: &[u8]) -> Result<(), String> {
    let head = serde_json::from_slice::<Head>(line).ok();
    match head.filter(|head| head.dump == "nerite") {
        None => Err("this is no dump of a store".into()),
        Some(head) if head.version != VERSION => {
            Err(format!("it is of version {}, this is {VERSION}", head.version))
        }
        Some(_) => Ok(()),
    }
}

fn parse<'a, T: Deserialize<'a>>(line: &'a [u8]) -> Result<T, String> {
    serde_json::from_slice(line).map_err(|error| {
        // It has seen one line only, whose number is told by others.
        let (column, text) = (error.column(), error.to_string());
        format!("{} (column {column})", text.split(" at line ").next().unwrap_or_default())
    })
}

fn key(bytes: Vec<u8>) -> Result<Key, String> {
    let key = Key::new(bytes).map_err(|error| error.to_string())?;
    if key.is_root() { Err("the root has no value".into()) } else { Ok(key) }
}

fn is_end(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{\"end\"")
}

fn bytes(text: Option<String>, base64: Option<String>, what: &str) -> Result<Vec<u8>, String> {
    match (text, base64) {
        (Some(text), None) => Ok(text.into_bytes()),
        (None, Some(base64)) => {
            STANDARD.decode(base64).map_err(|error| format!("{what}64: {error}"))
        }
        _ => Err(format!("a row has either a {what} or a {what}64")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Timestamp = Timestamp(1_767_323_045_000_000_006);

    fn dump(rows: &[(&[u8], &[u8])]) -> String {
        let mut writer = Writer::default();
        let mut text = writer.head();
        for (key, value) in rows {
            text += &writer.key(&Key::new(key).unwrap(), value, TIME);
        }
        text + &writer.end()
    }

    fn read(text: &[u8]) -> Result<Vec<Row>, String> {
        let mut reader = Reader::default();
        let mut rows = Vec::new();
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            rows.extend(reader.line(line)?);
        }
        reader.finish().map(|()| rows)
    }

    #[test]
    fn every_byte_comes_back() {
        let all: Vec<u8> = (0..=255).collect();
        let text: String = (0..0x3000).filter_map(char::from_u32).collect();
        let rows: [(&[u8], &[u8]); 5] = [
            (b"\0\n\"\\", b""),
            (b"a\x7f\xe2\x80\xa8", b"\r\n"),
            (b"b", &all),
            (b"c", text.as_bytes()),
            (b"\xff\xfe", b"{\"end\":true}"),
        ];
        let read = read(dump(&rows).as_bytes()).unwrap();
        assert_eq!(read.len(), rows.len());
        for (row, (key, value)) in read.iter().zip(rows) {
            assert_eq!((&row.name, &row.value[..]), (&Name::Key(Key::new(key).unwrap()), value));
            assert_eq!(row.time, Some(TIME));
        }
        assert!(dump(&rows).is_ascii() || str::from_utf8(dump(&rows).as_bytes()).is_ok());
        assert_eq!(dump(&rows).lines().count(), rows.len() + 2, "a line for each");
    }

    #[test]
    fn a_dump_with_any_bit_flipped_or_any_tail_cut_off_is_refused() {
        let text = dump(&[(b"a", b"1"), (b"b/c", b"\xff"), (b"b/d", b"x")]);
        for len in 0..text.len() - 1 {
            assert!(read(&text.as_bytes()[..len]).is_err(), "cut to {len}");
        }
        for bit in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // The end of the last line, and the name of the check itself, may change.
            if let Ok(rows) = read(&bytes) {
                assert_eq!(rows, read(text.as_bytes()).unwrap(), "bit {bit}");
            }
        }
    }

    #[test]
    fn lumps_follow_the_keys() {
        let mut writer = Writer::default();
        let rows = [LumpId(0), LumpId(7), LumpId(u128::MAX)];
        let mut text = writer.head() + &writer.key(&Key::new("z").unwrap(), b"1", TIME);
        text.extend(rows.map(|id| writer.lump(id, b"\xff", TIME)));
        text += &writer.end();
        let rows_read = read(text.as_bytes()).unwrap();
        let names: Vec<_> = rows_read.into_iter().map(|row| row.name).collect();
        assert_eq!(names[1..], rows.map(Name::Lump));
    }

    #[test]
    fn rows_are_in_order_and_of_keys_that_can_be() {
        let with = |rows: &str, count: u32| {
            let head = Writer::default().head();
            read(format!("{head}{rows}{{\"end\":true,\"rows\":{count}}}").as_bytes())
        };
        let rows = with("{\"key\":\"a\",\"value\":\"1\"}\n", 1).unwrap();
        assert_eq!((rows.len(), rows[0].time), (1, None));
        for rows in [
            "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"a\",\"value\":\"1\"}\n",
            "{\"lump\":\"1\",\"value\":\"1\"}\n{\"key\":\"a\",\"value\":\"1\"}\n",
            "{\"lump\":\"2\",\"value\":\"1\"}\n{\"lump\":\"1\",\"value\":\"1\"}\n",
            "{\"key\":\"b\",\"value\":\"1\"}\n{\"key\":\"a\",\"value\":\"1\"}\n",
            "{\"key\":\"a\",\"value\":\"1\"}\n{\"key\":\"a/b\",\"value\":\"1\"}\n",
        ] {
            assert!(with(rows, 2).is_err(), "{rows}");
        }
        for row in [
            "{\"key\":\"/\",\"value\":\"1\"}\n",
            "{\"key\":\"a\"}\n",
            "{\"value\":\"a\"}\n",
            "{\"key\":\"a\",\"value\":\"1\",\"value64\":\"\"}\n",
            "{\"key\":\"a\",\"lump\":\"1\",\"value\":\"1\"}\n",
            "{\"lump\":\"x\",\"value\":\"1\"}\n",
            "{\"key64\":\"?\",\"value\":\"1\"}\n",
            "{\"key\":\"a\",\"value\":\"1\",\"other\":1}\n",
            "{\"key\":\"a\",\"value\":1}\n",
            "{\"key\":\"a\",\"time\":\"now\",\"value\":\"1\"}\n",
            "text\n",
        ] {
            assert!(with(row, 1).is_err(), "{row}");
        }
        assert!(with("", 1).is_err());
        let newer = read(b"{\"dump\":\"nerite\",\"version\":2}\n").unwrap_err();
        assert!(newer.contains("version 2"), "{newer}");
    }
}
