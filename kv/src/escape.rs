//! Bytes as text that a terminal does not obey.

use core::fmt;

/// Prints bytes as text. UTF-8 is shown as it is; control characters, backslashes and bytes that are
/// not UTF-8 are escaped, as `\n` or `\xff`.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c.is_control() || c == '\\' {
                    write!(f, "{}", c.escape_default())?;
                } else {
                    write!(f, "{c}")?;
                }
            }
            write!(f, "{}", chunk.invalid().escape_ascii())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn nothing_reaches_the_terminal_that_it_would_obey() {
        assert_eq!(Escaped("a 🦀\x1b\n\\".as_bytes()).to_string(), r"a 🦀\u{1b}\n\\");
        assert_eq!(Escaped(b"\xff!").to_string(), r"\xff!");
    }
}
