//! Rust source as tokens: comments, strings and characters gone, lines kept.

/// `text` with every comment and literal of characters replaced by spaces.
pub(crate) fn without_prose(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    let mut at = 0;
    while at < code.len() {
        let len = prose(text, at);
        for byte in code.iter_mut().skip(at).take(len).filter(|byte| **byte != b'\n') {
            *byte = b' ';
        }
        at += len.max(1);
    }
    String::from_utf8(code).expect("literals and comments are replaced whole")
}

/// Bytes of the comment or literal that starts at `at`; 0 if none does.
fn prose(text: &str, at: usize) -> usize {
    let bytes = text.as_bytes();
    let rest = &bytes[at..];
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, 1, b'"'),
        [b'\'', b'\\', ..] => quoted(rest, 1, b'\''),
        [b'\'', ..] => character(&text[at..]),
        [b'r' | b'b' | b'c', ..] if at == 0 || !is_word(bytes[at - 1]) => raw_string(rest),
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

/// Up to and with the closing quote, from `at` on.
fn quoted(rest: &[u8], mut at: usize, quote: u8) -> usize {
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `'x'` is a character, `'x` a lifetime.
fn character(rest: &str) -> usize {
    let mut chars = rest.chars().skip(1);
    match (chars.next(), chars.next()) {
        (Some(c), Some('\'')) => c.len_utf8() + 2,
        _ => 0,
    }
}

/// `r"…"`, `br#"…"#` and the like; 0 for a name that merely starts so.
fn raw_string(rest: &[u8]) -> usize {
    let prefix = rest.iter().take_while(|byte| b"bcr".contains(byte)).count();
    let hashes = rest[prefix..].iter().take_while(|&&byte| byte == b'#').count();
    if prefix > 2 || rest[prefix - 1] != b'r' || rest.get(prefix + hashes) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'#'; hashes + 1];
    end[0] = b'"';
    let start = prefix + hashes + 1;
    let found = rest[start..].windows(end.len()).position(|window| window == end);
    found.map_or(rest.len(), |found| start + found + end.len())
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// A word, `::`, or one other character, and the line that it is on, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The tokens of `code`, which is [`without_prose`].
pub(crate) fn tokens(code: &str) -> Vec<Token<'_>> {
    let bytes = code.as_bytes();
    let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let word = rest.iter().take_while(|&&byte| is_word(byte)).count();
        let len = if rest.starts_with(b"::") { 2 } else { word.max(1) };
        if rest[0] == b'\n' {
            line += 1;
        } else if !rest[0].is_ascii_whitespace() {
            tokens.push(Token { text: &code[at..at + len], line });
        }
        at += len;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn words(text: &str, expected: &[&str]) {
        let code = without_prose(text);
        assert_eq!(code.lines().count(), text.lines().count());
        let found: Vec<_> = tokens(&code).iter().map(|token| token.text).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn comments_go() {
        words("a // b\nc /* d /* e */ f\n */ g", &["a", "c", "g"]);
        words("/// a\n//! b\nc", &["c"]);
    }

    #[test]
    fn strings_go_whatever_is_in_them() {
        words(r#"a "b \" // {" c"#, &["a", "c"]);
        words("a r\"b\\\" c", &["a", "c"]);
        words("a br##\"b\"# {\"## c b\"d\" e", &["a", "c", "b", "e"]);
        words("\"a\nb\" c", &["c"]);
    }

    #[test]
    fn characters_go_and_lifetimes_stay() {
        words(r"a '{' '\'' b'}' '\u{7d}' 'é' c", &["a", "b", "c"]);
        words("&'a str, 'b: {", &["&", "'", "a", "str", ",", "'", "b", ":", "{"]);
    }

    #[test]
    fn names_that_start_like_raw_strings_stay() {
        words("r#type bar br crc", &["r", "#", "type", "bar", "br", "crc"]);
    }

    #[test]
    fn tokens_know_their_lines() {
        let code = "a::b\n\n{";
        let expected = [("a", 1), ("::", 1), ("b", 1), ("{", 3)];
        assert_eq!(tokens(code), expected.map(|(text, line)| Token { text, line }));
    }
}
