//! What the tabulator key adds in a session: commands, and keys a name at a time.

use crate::cli::line;
use crate::open::Opened;
use crate::words;
use nerite::{Key, Kind, KvRead};
use rustyline::Context;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use std::os::unix::ffi::OsStrExt;

/// Keys that are looked through at most: more than anybody would read.
const KEYS_MAX: usize = 1000;

/// Completes the lines of a session.
pub(super) struct Helper<'a> {
    pub(super) at: Opened<'a>,
}

impl rustyline::Helper for Helper<'_> {}
impl Highlighter for Helper<'_> {}
impl Validator for Helper<'_> {}
impl Hinter for Helper<'_> {
    type Hint = String;
}

impl Completer for Helper<'_> {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let typed = line.get(..pos).unwrap_or(line);
        let start = last_word(typed);
        let word = &typed[start..];
        if typed[..start].trim().is_empty() {
            let verbs = line::verbs().into_iter().filter(|verb| verb.starts_with(word));
            let pairs = verbs.map(|verb| Pair { replacement: format!("{verb} "), display: verb });
            return Ok((start, pairs.collect()));
        }
        Ok((start, self.keys(word).unwrap_or_default()))
    }
}

impl Helper<'_> {
    /// The keys that a word can become; none if it can't be one, or the store fails.
    fn keys(&self, word: &str) -> Option<Vec<Pair>> {
        let words = words::split(word.as_bytes()).ok()?;
        let typed = words.first().map(|word| word.as_bytes()).unwrap_or_default();
        let parent_len = typed.iter().rposition(|&byte| byte == b'/').map_or(0, |slash| slash + 1);
        let (parent, name) = typed.split_at(parent_len);
        let parent_key = Key::new(parent).ok()?;
        let entries = self.at.store.list_page(&parent_key, None, KEYS_MAX).ok()?;
        let pair = |(name, kind): (&[u8], Kind)| {
            let end = if kind == Kind::Dictionary { "/" } else { " " };
            let key = words::quoted(&[parent, name].concat());
            Pair { display: words::quoted(name), replacement: key + end }
        };
        let entries = entries.iter().filter_map(|entry| Some((entry.key.basename()?, entry.kind)));
        Some(entries.filter(|entry| entry.0.starts_with(name)).map(pair).collect())
    }
}

/// Where the last word of a line begins, as far as escaped spaces tell.
fn last_word(line: &str) -> usize {
    let (mut start, mut escaped) = (0, false);
    for (at, c) in line.char_indices() {
        if c == ' ' && !escaped {
            start = at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    start
}
