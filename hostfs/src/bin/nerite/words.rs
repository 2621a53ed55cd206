//! The words of a line in a session.
//!
//! Invariant: what `ls` and `scan` show can be typed as it is shown, and means the same bytes, as
//! long as spaces and quotes in it are quoted.

use nerite::Escaped;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStringExt;

/// Splits a line into words.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn split(line: &[u8]) -> Result<Vec<OsString>, String> {
    let (mut words, mut word) = (Vec::new(), None::<Vec<u8>>);
    let mut rest = line;
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => words.extend(word.take()),
            b'\'' => {
                let end = rest.iter().position(|&byte| byte == b'\'');
                let end = end.ok_or("a quote ' is not closed")?;
                word.get_or_insert_default().extend(&rest[..end]);
                rest = &rest[end + 1..];
            }
            b'"' => {
                let word = word.get_or_insert_default();
                loop {
                    let (&byte, behind) = rest.split_first().ok_or("a quote \" is not closed")?;
                    rest = behind;
                    match byte {
                        b'"' => break,
                        b'\\' => rest = escape(rest, word)?,
                        byte => word.push(byte),
                    }
                }
            }
            b'\\' => rest = escape(rest, word.get_or_insert_default())?,
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word);
    Ok(words.into_iter().map(OsString::from_vec).collect())
}

/// Adds what stands behind a backslash, and gives what is left.
fn escape<'a>(rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], String> {
    let (&byte, behind) = rest.split_first().ok_or("nothing follows \\")?;
    let plain = match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'\\' | b'\'' | b'"' | b' ' => byte,
        b'x' => {
            let digits = behind.get(..2).and_then(|digits| str::from_utf8(digits).ok());
            let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
            word.push(byte.ok_or("two hexadecimal digits must follow \\x")?);
            return Ok(&behind[2..]);
        }
        b'u' => {
            let (c, len) = unicode(behind).ok_or("a character must follow \\u, as in \\u{1b}")?;
            word.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            return Ok(&behind[len..]);
        }
        _ => return Err(format!("\\{} means nothing", Escaped(&[byte]))),
    };
    word.push(plain);
    Ok(behind)
}

/// The character that `{1b}` stands for, and how many bytes that takes.
fn unicode(text: &[u8]) -> Option<(char, usize)> {
    let end = text.iter().position(|&byte| byte == b'}')?;
    let digits = str::from_utf8(text.strip_prefix(b"{")?.get(..end - 1)?).ok()?;
    let c = char::from_u32(u32::from_str_radix(digits, 16).ok()?)?;
    Some((c, end + 1))
}

/// Bytes as they can be typed.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::new();
    for c in Escaped(bytes).to_string().chars() {
        if matches!(c, ' ' | '\'' | '"') {
            text.push('\\');
        }
        // Writing to a string can't fail.
        let _ = write!(text, "{c}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn words(line: &str) -> Vec<Vec<u8>> {
        let words = split(line.as_bytes()).unwrap();
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn words_are_parted_by_spaces_and_joined_by_quotes() {
        assert!(words(" \t\r\n").is_empty());
        assert_eq!(words(" put  a b\n"), [&b"put"[..], b"a", b"b"]);
        assert_eq!(words(r#"'two words' a"b c"d '' """#), [&b"two words"[..], b"ab cd", b"", b""]);
        assert_eq!(words(r"'\n' a\ b"), [&br"\n"[..], b"a b"]);
        assert_eq!(words("🦀"), ["🦀".as_bytes()]);
    }

    #[test]
    fn all_that_can_be_shown_can_be_typed() {
        let all: Vec<u8> = (0..=255).chain("é🦀\u{85}\u{9b}".bytes()).collect();
        assert_eq!(words(&quoted(&all)), [all]);
        for byte in 0..=255 {
            assert_eq!(words(&quoted(&[byte, b'x'])), [[byte, b'x']]);
        }
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        for line in ["'a", "\"a", "a\\", r"\x", r"\xf", r"\xfg", r"\u", r"\u{", r"\u{}", r"\u}"] {
            assert!(split(line.as_bytes()).is_err(), "{line}");
        }
        for line in [r"\u{d800}", r"\u{110000}", r"\u{99999999999}", r"\q", r"\xé"] {
            assert!(split(line.as_bytes()).is_err(), "{line}");
        }
    }
}
