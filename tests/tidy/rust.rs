//! Sizes of Rust files and functions, and where `unsafe` stands.

use crate::code::{Token, tokens, without_prose};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;

/// Where `unsafe` can't be avoided: a machine is started, a device is driven.
const UNSAFE_FOLDERS: [&str; 2] = ["unikernel-app/", "block-virtio/"];

/// The roots of the crates that the compiler keeps free of `unsafe`.
pub(crate) const SAFE_ROOTS: [&str; 5] = [
    "kv/src/lib.rs",
    "hostfs/src/lib.rs",
    "hostfs/src/bin/nerite/main.rs",
    "unikernel-app/src/lib.rs",
    "tests/harness/lib.rs",
];

pub(crate) fn file_length(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().count();
    let finding = format!("{path}: {lines} lines, at most {FILE_LINES_MAX} are allowed");
    (lines > FILE_LINES_MAX).then_some(finding).into_iter().collect()
}

pub(crate) fn function_length(path: &str, text: &str) -> Vec<String> {
    let too_long = |function: &Function| function.lines > FUNCTION_LINES_MAX;
    let finding = |function: Function| {
        let Function { name, line, lines } = function;
        format!("{path}:{line}: {name} has {lines} lines, at most {FUNCTION_LINES_MAX} are allowed")
    };
    functions(text).into_iter().filter(too_long).map(finding).collect()
}

pub(crate) fn unsafe_code(path: &str, text: &str) -> Vec<String> {
    if UNSAFE_FOLDERS.iter().any(|folder| path.starts_with(folder)) {
        return Vec::new();
    }
    let code = without_prose(text);
    let found = tokens(&code).into_iter().filter(|token| token.text == "unsafe");
    found.map(|token| format!("{path}:{}: unsafe code", token.line)).collect()
}

pub(crate) fn forbids_unsafe(path: &str, text: &str) -> Vec<String> {
    let code = without_prose(text);
    let found: Vec<_> = tokens(&code).into_iter().map(|token| token.text).collect();
    let attribute = ["#", "!", "[", "forbid", "(", "unsafe_code", ")", "]"];
    let is_missing = !found.windows(attribute.len()).any(|window| window == attribute);
    is_missing.then(|| format!("{path}: {} is missing", attribute.concat())).into_iter().collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Function {
    name: String,
    /// Of the `fn`.
    line: usize,
    /// From there to the closing brace.
    lines: usize,
}

/// The functions that have bodies, nested ones too.
fn functions(text: &str) -> Vec<Function> {
    let code = without_prose(text);
    let tokens = tokens(&code);
    let starts = tokens.iter().enumerate().filter(|(_, token)| token.text == "fn");
    starts.filter_map(|(at, _)| function(&tokens[at..])).collect()
}

/// The function at the head of `tokens`; none for a type `fn(…)` or a declaration.
fn function(tokens: &[Token<'_>]) -> Option<Function> {
    let line = tokens.first()?.line;
    let name = tokens.get(1..).and_then(|rest| rest.iter().find(|token| token.text != "$"))?;
    if name.text == "(" {
        return None;
    }
    let (mut brackets, mut braces) = (0, 0);
    for token in tokens {
        match token.text {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets -= 1,
            "{" => braces += 1,
            "}" => braces -= 1,
            ";" if brackets == 0 && braces == 0 => return None,
            _ => continue,
        }
        if token.text == "}" && braces == 0 && brackets == 0 {
            let lines = token.line - line + 1;
            return Some(Function { name: name.text.to_owned(), line, lines });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(count: usize) -> String {
        "    step();\n".repeat(count)
    }

    #[test]
    fn a_planted_long_file_is_found() {
        assert!(file_length("f.rs", &lines(600)).is_empty());
        assert_eq!(file_length("f.rs", &lines(601)).len(), 1);
    }

    #[test]
    fn a_planted_long_function_is_found() {
        let long = |body| format!("impl X {{\n    fn long() {{\n{}    }}\n}}\n", lines(body));
        assert!(function_length("f.rs", &long(68)).is_empty());
        let expected = ["f.rs:2: long has 71 lines, at most 70 are allowed"];
        assert_eq!(function_length("f.rs", &long(69)), expected);
        let in_a_macro = format!("macro_rules! m {{ () => {{ fn $n() {{\n{}}} }} }}", lines(70));
        assert_eq!(function_length("f.rs", &in_a_macro).len(), 1);
    }

    #[test]
    fn functions_are_measured_whatever_is_in_them() {
        let text = r#"
            fn brackets(a: [u8; { 3 }]) -> u8 { "}" ; '}' // }
            }
            fn outer() {
                fn inner() {
                }
            }
            trait T { fn declared(&self); fn provided(&self) {} }
            type F = fn(u8) -> u8;
        "#;
        let found: Vec<_> =
            functions(text).into_iter().map(|f| (f.name, f.line, f.lines)).collect();
        let expected = [("brackets", 2, 2), ("outer", 4, 4), ("inner", 5, 2), ("provided", 8, 1)];
        assert_eq!(found, expected.map(|(name, line, lines)| (name.to_owned(), line, lines)));
    }

    #[test]
    fn planted_unsafe_is_found() {
        let text = "// unsafe\nfn f() { unsafe { \"unsafe\" } }\n#![forbid(unsafe_code)]\n";
        assert_eq!(unsafe_code("kv/src/key.rs", text), ["kv/src/key.rs:2: unsafe code"]);
        assert!(unsafe_code("unikernel-app/src/main.rs", text).is_empty());
    }

    #[test]
    fn a_root_that_allows_unsafe_is_found() {
        assert!(
            forbids_unsafe("lib.rs", "//! x\n#![no_std]\n#![forbid(unsafe_code)]\n").is_empty()
        );
        assert_eq!(forbids_unsafe("lib.rs", "// #![forbid(unsafe_code)]\n").len(), 1);
        assert_eq!(forbids_unsafe("lib.rs", "#![deny(unsafe_code)]\n").len(), 1);
    }
}
