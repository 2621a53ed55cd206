//! `open`: a session on one image.
//!
//! Invariant: no line ends it but one that says so, the end of the input, or a reader of its output
//! that is gone.

use super::complete::Helper;
use crate::cli;
use crate::cli::line::{self, Line, Unread};
use crate::cli::lump::Lump;
use crate::cli::verbs::Verb;
use crate::failure::{Code, Failure};
use crate::open::{Opened, open_to_read, open_to_write};
use crate::out::Out;
use crate::words;
use rustyline::Editor;
use rustyline::error::ReadlineError;
use rustyline::history::MemHistory;
use rustyline::{Behavior, CompletionType, Config};
use std::io::{self, BufRead, IsTerminal, Read};

/// Bytes in a line, at most: those of the longest key and of a value that one would type or pipe.
const LINE_LEN_MAX: u64 = 16 << 20;

/// Works on an image line by line.
pub(crate) fn open(args: &cli::Open) -> Result<(), Failure> {
    let image = &args.image.image;
    if args.read_only {
        return lines(&Opened { image, store: &open_to_read(image)? });
    }
    open_to_write(image, |store| lines(&Opened { image, store }))
}

fn lines(at: &Opened<'_>) -> Result<(), Failure> {
    if io::stdin().is_terminal() && io::stdout().is_terminal() { typed(at) } else { piped(at) }
}

/// Lines from somebody who sees what comes of them.
fn typed(at: &Opened<'_>) -> Result<(), Failure> {
    let failed = |error: ReadlineError| {
        Failure::new(Code::Io, format!("can't read from the terminal: {error}"))
    };
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .behavior(Behavior::Stdio)
        .auto_add_history(true);
    let history = MemHistory::with_config(&config.clone().build());
    let mut editor = Editor::with_history(config.build(), history).map_err(failed)?;
    editor.set_helper(Some(Helper { at: *at }));
    println_banner(at);
    loop {
        match editor.readline("nerite> ") {
            Ok(text) => match on_line(at, text.as_bytes()) {
                Ok(Next::Line) => {}
                Ok(Next::End) => return Ok(()),
                Err(failure) if failure.is_closed_pipe() => return Err(failure),
                Err(failure) => drop(failure.report()),
            },
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => return Ok(()),
            Err(error) => return Err(failed(error)),
        }
    }
}

fn println_banner(at: &Opened<'_>) {
    eprintln!("{}: help tells what can be done, Ctrl-D leaves", at.image.display());
}

/// Lines from a program or a file. The first failure decides the exit code, once all is done.
fn piped(at: &Opened<'_>) -> Result<(), Failure> {
    let mut input = io::stdin().lock();
    let mut first = Ok(());
    let mut text = Vec::new();
    loop {
        text.clear();
        let read = input.by_ref().take(LINE_LEN_MAX).read_until(b'\n', &mut text);
        if read.map_err(Failure::input("standard input"))? == 0 {
            return first;
        }
        if text.len() as u64 == LINE_LEN_MAX && text.last() != Some(&b'\n') {
            return Err(Failure::usage("standard input: a line is too long"));
        }
        match on_line(at, &text) {
            Ok(Next::Line) => {}
            Ok(Next::End) => return first,
            Err(failure) if failure.is_closed_pipe() => return Err(failure),
            Err(failure) => {
                failure.report();
                first = first.and(Err(failure.said()));
            }
        }
    }
}

/// What comes after a line.
enum Next {
    Line,
    End,
}

fn on_line(at: &Opened<'_>, text: &[u8]) -> Result<Next, Failure> {
    let words = words::split(text).map_err(Failure::usage)?;
    if words.is_empty() {
        return Ok(Next::Line);
    }
    let mut out = Out::stdout();
    let done = match line::parse(words) {
        Ok(Line::Exit) => return Ok(Next::End),
        Ok(Line::Verb(verb)) => on_verb(at, &verb, &mut out),
        // Parsing has answered it.
        Ok(Line::Help { .. }) => Ok(()),
        Err(Unread::Help(text)) => out.bytes(text.as_bytes()),
        Err(Unread::Wrong(message)) => Err(Failure::usage(message)),
    };
    // Of a value that ends without one. What is printed next begins on a line of its own.
    let ended = out.end_line().and_then(|()| out.flush());
    done.and(ended).map(|()| Next::Line)
}

fn on_verb(at: &Opened<'_>, verb: &Verb, out: &mut Out) -> Result<(), Failure> {
    let from_stdin = match verb {
        Verb::Set(args) => args.value.as_ref().is_some_and(|value| value == "-"),
        Verb::Lump { command: Lump::Put(args) | Lump::Embed(args) } => {
            args.value.as_ref().is_some_and(|value| value == "-")
        }
        Verb::Load(args) => args.file.is_none(),
        _ => false,
    };
    if from_stdin {
        return Err(Failure::usage("standard input is what the session reads; name a file"));
    }
    super::verb::on(at, verb, out)?;
    if verb.writes() {
        eprintln!("durable");
    }
    Ok(())
}
