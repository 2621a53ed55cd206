//! Which file imports which: layers point down, and nothing goes in circles.
//!
//! Paths in code count, `use` or not; links in documentation do not, nor do unit tests, which may
//! use whatever they need.

use crate::Tree;
use crate::code::{Token, tokens, without_prose};
use std::collections::{BTreeMap, BTreeSet};

/// The modules of the library from the bottom up: each imports itself and those before it.
const LAYERS: [&str; 14] = [
    "planted", "random", "escape", "key", "clock", "device", "error", "lock", "memory", "traits",
    "format", "log", "index", "store",
];

const LIBRARY: &str = "kv/src/";

/// The file at the top of a crate.
const ROOTS: [&str; 2] = ["lib.rs", "main.rs"];

/// A path to something of the same crate, from the crate's root.
#[derive(Debug, PartialEq, Eq)]
struct Import<'a> {
    path: Vec<&'a str>,
    line: usize,
}

/// The module that a file is: `["log", "append"]` for `log/append.rs`.
fn module(file: &str) -> Vec<&str> {
    let mut names: Vec<_> = file.strip_suffix(".rs").unwrap_or(file).split('/').collect();
    if names.last() == Some(&"mod") || ROOTS.contains(&file) {
        names.pop();
    }
    names
}

/// Everything of its own crate that a file's code names. `file` is its path below the crate's
/// root.
fn imports<'a>(file: &'a str, tokens: &[Token<'a>]) -> Vec<Import<'a>> {
    let children = children(tokens);
    let mut inner = Inner::default();
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if is_test_module(&tokens[at..]) {
            at += block_len(&tokens[at..]);
            continue;
        }
        inner.step(&tokens[at..]);
        let token = tokens[at];
        let is_head = (at == 0 || tokens[at - 1].text != "::")
            && (tokens.get(at + 1).is_some_and(|next| next.text == "::"));
        let mut prefix = module(file);
        match token.text {
            "crate" => prefix.clear(),
            "self" | "super" => prefix.extend(&inner.names),
            child if children.contains(child) && inner.names.is_empty() => {}
            _ => {
                at += 1;
                continue;
            }
        }
        at += if is_head { tree(&tokens[at..], &prefix, &mut found) } else { 1 };
    }
    found
}

/// The modules that a file declares: `mod name;`.
fn children<'a>(tokens: &[Token<'a>]) -> BTreeSet<&'a str> {
    let declared = tokens.windows(3).filter(|three| three[0].text == "mod" && three[2].text == ";");
    declared.map(|three| three[1].text).collect()
}

/// `#[cfg(test)] mod name {`.
fn is_test_module(tokens: &[Token<'_>]) -> bool {
    let head = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
    tokens.len() > head.len() + 1
        && tokens.iter().zip(head).all(|(token, text)| token.text == text)
        && tokens[head.len() + 1].text == "{"
}

/// How many tokens there are up to the end of the first block.
fn block_len(tokens: &[Token<'_>]) -> usize {
    let mut depth = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" if depth == 1 => return at + 1,
            "}" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Which modules within the file the code is in.
#[derive(Debug, Default)]
struct Inner<'a> {
    names: Vec<&'a str>,
    /// The depth of braces at which each of them began.
    began: Vec<usize>,
    depth: usize,
}

impl<'a> Inner<'a> {
    fn step(&mut self, tokens: &[Token<'a>]) {
        match tokens {
            [Token { text: "mod", .. }, name, Token { text: "{", .. }, ..] => {
                self.names.push(name.text);
                self.began.push(self.depth);
            }
            [Token { text: "{", .. }, ..] => self.depth += 1,
            [Token { text: "}", .. }, ..] => {
                self.depth = self.depth.saturating_sub(1);
                if self.began.last() == Some(&self.depth) {
                    self.began.pop();
                    self.names.pop();
                }
            }
            _ => {}
        }
    }
}

/// Adds the paths that start at the head of `tokens`, `a::b` or `a::{b, c::{d, e}}`, each below
/// `prefix`, and tells how many tokens they are.
fn tree<'a>(tokens: &[Token<'a>], prefix: &[&'a str], found: &mut Vec<Import<'a>>) -> usize {
    let mut path = prefix.to_vec();
    let mut at = 0;
    let Some(line) = tokens.first().map(|token| token.line) else { return 0 };
    loop {
        match tokens.get(at).map_or("", |token| token.text) {
            "crate" | "self" => {}
            "super" => drop(path.pop()),
            "{" => return at + group(&tokens[at..], &path, found),
            name if name.starts_with(|c: char| c.is_alphabetic() || c == '_') => path.push(name),
            "*" => {}
            // `::<` of a call.
            _ => break,
        }
        at += 1;
        match tokens.get(at) {
            Some(next) if next.text == "::" => at += 1,
            _ => break,
        }
    }
    found.push(Import { path, line });
    at.max(1)
}

fn group<'a>(tokens: &[Token<'a>], prefix: &[&'a str], found: &mut Vec<Import<'a>>) -> usize {
    let mut at = 1;
    while let Some(token) = tokens.get(at) {
        match token.text {
            "}" => return at + 1,
            "," => at += 1,
            // A new name is no path.
            "as" => at += 2,
            _ => at += tree(&tokens[at..], prefix, found),
        }
    }
    at
}

/// Upward imports in the library.
pub(crate) fn direction(path: &str, text: &str) -> Vec<String> {
    let Some(file) = path.strip_prefix(LIBRARY).filter(|file| !ROOTS.contains(file)) else {
        return Vec::new();
    };
    let layer = |name: &str| LAYERS.iter().position(|known| *known == name);
    let own = module(file)[0];
    let Some(own_layer) = layer(own) else {
        return vec![format!("{path}: {own} has no place in the order of layers")];
    };
    let code = without_prose(text);
    let tokens = tokens(&code);
    let wrong = |import: Import<'_>| {
        let name = import.path.first().copied().unwrap_or("the root");
        let line = import.line;
        match layer(name) {
            Some(layer) if layer <= own_layer => None,
            Some(_) => Some(format!("{path}:{line}: {own} imports {name}, which is above it")),
            None => Some(format!("{path}:{line}: {own} imports {name} by way of the crate's root")),
        }
    };
    imports(file, &tokens).into_iter().filter_map(wrong).collect()
}

/// Files below `folder`, a crate's root, that import each other in circles. The root itself, which
/// names everything, is left out.
pub(crate) fn circles(tree: &Tree, folder: &str) -> Vec<String> {
    let files: BTreeMap<&str, &str> = tree
        .iter()
        .filter_map(|(path, text)| Some((path.strip_prefix(folder)?, text.as_str())))
        .filter(|(file, _)| file.strip_suffix(".rs").is_some() && !ROOTS.contains(file))
        .collect();
    let mut edges = BTreeSet::new();
    for (&file, &text) in &files {
        let code = without_prose(text);
        for import in imports(file, &tokens(&code)) {
            let to = target(&import.path, &files).filter(|to| *to != file);
            edges.extend(to.map(|to| (file, to)));
        }
    }
    let circles = edges.iter().filter(|(one, other)| reaches(&edges, other, one));
    circles.map(|(one, other)| format!("{folder}: {one} imports {other} in a circle")).collect()
}

/// Whether there is a way from `start` to `end` along `edges`.
fn reaches(edges: &BTreeSet<(&str, &str)>, start: &str, end: &str) -> bool {
    let (mut seen, mut left) = (BTreeSet::from([start]), vec![start]);
    while let Some(file) = left.pop() {
        let next = edges.iter().filter(|(from, _)| *from == file).map(|(_, to)| *to);
        left.extend(next.filter(|to| seen.insert(to)));
    }
    seen.contains(end)
}

/// The file that a path leads to: the longest part of it that is a file.
fn target<'a>(path: &[&str], files: &BTreeMap<&'a str, &str>) -> Option<&'a str> {
    (1..=path.len()).rev().find_map(|len| {
        let module = path[..len].join("/");
        [format!("{module}.rs"), format!("{module}/mod.rs")]
            .iter()
            .find_map(|file| files.get_key_value(file.as_str()).map(|(file, _)| *file))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(file: &str, text: &str) -> Vec<String> {
        let code = without_prose(text);
        let tokens = tokens(&code);
        imports(file, &tokens).iter().map(|import| import.path.join("::")).collect()
    }

    #[test]
    fn paths_are_found_in_every_form() {
        let text = "
            mod child;
            use crate::a::{self, b::{c, d as e}, f::*};
            use super::g::{h};
            pub use child::i;
            use std::collections::child::j;
            pub(crate) fn k(l: crate::m::N) -> self::o::P { child::q::<u8>(super::super::r()) }
            use {crate::s, super::t};
            // crate::comment::c
            mod inner { use super::u; mod deeper { use super::super::v; } }
            const W: X = super::w::X;
            #[cfg(test)]
            mod tests { use super::*; use crate::only::tests; fn f() { {} } }
            use crate::y;
        ";
        let expected = [
            "a",
            "a::b::c",
            "a::b::d",
            "a::f",
            "x::g::h",
            "x::z::child::i",
            "m::N",
            "x::z::o::P",
            "x::z::child::q",
            "r",
            "s",
            "x::t",
            "x::z::u",
            "x::z::v",
            "x::w::X",
            "y",
        ];
        assert_eq!(paths("x/z.rs", text), expected);
    }

    #[test]
    fn a_planted_upward_import_is_found() {
        let find = |file: &str, text: &str| direction(&format!("kv/src/{file}"), text).len();
        assert_eq!(find("log/append.rs", "use crate::store::Options;"), 1);
        assert_eq!(find("log/append.rs", "use crate::{key::Key, index::{A, B}};"), 2);
        assert_eq!(find("key.rs", "fn f() { crate::error::f() }"), 1);
        assert_eq!(find("key.rs", "use super::error::Error;"), 1);
        assert_eq!(find("store/mod.rs", "use crate::Key;"), 1);
        assert_eq!(find("novel.rs", ""), 1);
        assert_eq!(find("store/mod.rs", "use crate::log::Log; use super::key::Key;"), 0);
        assert_eq!(find("log/mod.rs", "use super::log::append; use crate::format::Frame;"), 0);
        assert_eq!(find("lib.rs", "pub use crate::store::Store;"), 0);
        assert!(direction("hostfs/src/file.rs", "use crate::store::Store;").is_empty());
    }

    #[test]
    fn a_planted_circle_is_found() {
        let find = |files: &[(&str, &str)]| {
            let files = files.iter();
            let tree = files.map(|(file, text)| (format!("kv/src/{file}"), (*text).to_owned()));
            circles(&tree.collect(), "kv/src/").len()
        };
        let parent = "mod read; mod write; use read::Reader;";
        let straight = [
            ("lib.rs", "mod store; pub use store::Store;"),
            ("store/mod.rs", parent),
            ("store/read.rs", "use crate::key::Key;"),
            ("store/write.rs", "use super::read::Reader; use super::Store;"),
            ("key.rs", "#[cfg(test)] mod tests { use crate::store::read::Reader; }"),
        ];
        assert_eq!(find(&straight), 0);
        let parent_and_child = [("store/mod.rs", parent), ("store/read.rs", "use super::Store;")];
        assert_eq!(find(&parent_and_child), 2);
        let siblings = [
            ("store/mod.rs", "mod a; mod b; mod c;"),
            ("store/a.rs", "use super::b::B;"),
            ("store/b.rs", "fn f() -> crate::store::c::C { todo!() }"),
            ("store/c.rs", "use super::{a, Store};"),
        ];
        assert_eq!(find(&siblings), 3);
    }
}
