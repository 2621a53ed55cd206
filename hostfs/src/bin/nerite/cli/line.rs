//! The lines of a session: the same commands in the same grammar, without the image.

use super::verbs::Verb;
use clap::error::ErrorKind;
use clap::{Command, CommandFactory, FromArgMatches, Parser, Subcommand};
use std::ffi::OsString;

const AFTER_HELP: &str = "\
Words are parted by spaces. '...' keeps all as it is; elsewhere \\ begins what
ls and scan show for odd bytes: \\n, \\xff, \\u{1b}, \\\\, or a space or quote.
Ctrl-C drops the line, Ctrl-D leaves. What says durable is on stable storage.
help COMMAND tells more.";

/// Works on one image, line by line.
#[derive(Debug, Parser)]
#[command(name = "", no_binary_name = true, disable_help_subcommand = true)]
#[command(arg_required_else_help = false, max_term_width = 80, after_help = AFTER_HELP)]
#[command(override_usage = "COMMAND [ARGUMENTS]", subcommand_help_heading = "Commands")]
struct Grammar {
    #[command(subcommand)]
    line: Line,
}

/// What a line says.
#[derive(Debug, Subcommand)]
pub(crate) enum Line {
    #[command(flatten)]
    Verb(Verb),
    /// Tell what can be done, or all about one command
    Help {
        /// The command
        command: Option<String>,
    },
    /// Leave, as Ctrl-D does
    #[command(visible_alias = "quit")]
    Exit,
}

/// Why a line says nothing.
pub(crate) enum Unread {
    /// Help was asked for: this.
    Help(String),
    /// What is wrong, in one line.
    Wrong(String),
}

/// Those that no store is needed for.
const OTHERS: [&str; 3] = ["help", "exit", "quit"];

/// The command that is a group of commands.
const GROUP: &str = "lump";

/// Parses the words of a line, of which there is at least one.
pub(crate) fn parse(mut words: Vec<OsString>) -> Result<Line, Unread> {
    // On the command line the image stands there; which one, the session knows.
    let is_verb = words.first().is_some_and(|word| {
        OTHERS.iter().all(|other| word != other) && !word.as_encoded_bytes().starts_with(b"-")
    });
    // `lump` has commands of its own.
    let at = if words.first().is_some_and(|word| word == GROUP) { 2 } else { 1 };
    if is_verb && words.len() >= at {
        words.insert(at, "IMG".into());
    }
    let parsed = grammar().try_get_matches_from(words);
    match parsed.and_then(|matches| Grammar::from_arg_matches(&matches)) {
        Ok(Grammar { line: Line::Help { command } }) => Err(help(command.as_deref())),
        Ok(Grammar { line }) => Ok(line),
        Err(error) if error.kind() == ErrorKind::DisplayHelp => {
            Err(Unread::Help(without_image(&error.render().to_string())))
        }
        Err(error) => Err(Unread::Wrong(super::in_one_line(&error, "help"))),
    }
}

/// Every word that a line can begin with.
pub(crate) fn verbs() -> Vec<String> {
    let grammar = grammar();
    let all = grammar.get_subcommands().flat_map(Command::get_name_and_visible_aliases);
    all.map(str::to_owned).collect()
}

fn grammar() -> Command {
    let without = |verb: Command| {
        verb.mut_args(|arg| if arg.get_id() == "image" { arg.hide(true) } else { arg })
    };
    Grammar::command().mut_subcommands(|verb| without(verb).mut_subcommands(without))
}

fn help(command: Option<&str>) -> Unread {
    let mut grammar = grammar();
    grammar.build();
    let found = match command {
        None => Some(&mut grammar),
        Some(name) => grammar.find_subcommand_mut(name),
    };
    match (found, command) {
        (Some(found), _) => Unread::Help(without_image(&found.render_help().to_string())),
        (None, name) => {
            Unread::Wrong(format!("there is no command {} (see help)", name.unwrap_or_default()))
        }
    }
}

/// An argument that is needed is shown in usages though it is hidden.
fn without_image(help: &str) -> String {
    help.replace(" <IMG>", "").replace("Usage:  ", "Usage: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Line, Unread> {
        parse(line.split(' ').map(Into::into).collect())
    }

    #[track_caller]
    fn wrong(line: &str) -> String {
        match read(line) {
            Err(Unread::Wrong(message)) => message,
            _ => panic!("{line}"),
        }
    }

    #[track_caller]
    fn help(line: &str) -> String {
        match read(line) {
            Err(Unread::Help(text)) => text,
            _ => panic!("{line}"),
        }
    }

    #[test]
    fn lines_are_commands_without_the_image() {
        assert!(matches!(read("get k"), Ok(Line::Verb(Verb::Get(_)))));
        assert!(matches!(read("put -- k -v"), Ok(Line::Verb(Verb::Set(_)))));
        assert!(matches!(read("ls -lR"), Ok(Line::Verb(Verb::Ls(_)))));
        assert!(matches!(read("quit"), Ok(Line::Exit)));
    }

    #[test]
    fn what_makes_no_sense_is_one_line() {
        for line in ["create", "open", "get", "get a b", "nonsense", "get k --offset x", "--x"] {
            let message = wrong(line);
            assert!(message.ends_with("(see help)") && !message.contains('\n'), "{message}");
        }
    }

    #[test]
    fn help_fits_80_columns_and_does_not_speak_of_images() {
        let mut texts = vec![help("help"), help("get --help"), help("help put")];
        texts.extend(verbs().iter().map(|verb| help(&format!("help {verb}"))));
        for text in texts {
            assert!(!text.contains("IMG"), "{text}");
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        }
    }
}
