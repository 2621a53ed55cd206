//! Whether to use colours.

use clap::ValueEnum;
use std::env;
use std::io::IsTerminal;
use std::sync::OnceLock;

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless the environment forbids it
    Auto,
    Always,
    Never,
}

static CHOICE: OnceLock<Color> = OnceLock::new();

/// From now on. Only the first choice counts.
pub(crate) fn choose(color: Color) {
    CHOICE.get_or_init(|| color);
}

/// Whether what goes to `stream` has colours. Before a choice it is by itself.
pub(crate) fn is_on(stream: &impl IsTerminal) -> bool {
    match CHOICE.get() {
        Some(Color::Always) => true,
        Some(Color::Never) => false,
        Some(Color::Auto) | None => {
            // https://no-color.org: set and not empty.
            let is_unwanted = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
            stream.is_terminal() && !is_unwanted && !is_dumb
        }
    }
}

/// The text in this colour (`31` is red), if it is to have any.
pub(crate) fn paint(is_on: bool, code: &str, text: &str) -> String {
    if is_on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}
