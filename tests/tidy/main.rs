//! The shape of the tree, as a test: sizes, layers, where `unsafe` may stand, links, whitespace.
//!
//! Every check is a function from a file's path and text to what is wrong with it, and has a test
//! that sees it find a planted fault: a check that can't fail is worth nothing.

#![forbid(unsafe_code)]

mod code;
mod imports;
mod markdown;
mod rust;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Every file of the workspace: its path from the root, with `/`, and its text (none if it is not
/// UTF-8).
pub(crate) type Tree = BTreeMap<String, String>;

/// What Git does not keep, by `.gitignore`, and Git itself.
const SKIPPED: [&str; 3] = ["target", "run", ".git"];

fn tree() -> Tree {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace is above");
    let mut tree = Tree::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder of the workspace") {
            let entry = entry.expect("an entry of the workspace");
            let kind = entry.file_type().expect("its type");
            if SKIPPED.iter().any(|name| entry.file_name() == *name) {
                continue;
            }
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let path = entry.path();
                let path = path.strip_prefix(root).expect("below the root").to_str();
                let path = path.expect("the workspace has UTF-8 names").to_owned();
                // A file may vanish while others work in the tree.
                let Ok(bytes) = fs::read(entry.path()) else { continue };
                tree.insert(path, String::from_utf8(bytes).unwrap_or_default());
            }
        }
    }
    assert!(tree.contains_key("kv/src/lib.rs"), "this is not the workspace");
    tree
}

/// The files whose path ends so.
fn files<'a>(tree: &'a Tree, ending: &str) -> impl Iterator<Item = (&'a String, &'a String)> {
    tree.iter().filter(move |(path, _)| path.ends_with(ending))
}

/// Runs a check over the files whose path ends so.
fn check(ending: &str, check: impl Fn(&str, &str) -> Vec<String>) {
    clean(files(&tree(), ending).flat_map(|(path, text)| check(path, text)).collect());
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "every check makes its findings to be judged")]
fn clean(findings: Vec<String>) {
    assert!(findings.is_empty(), "{}\n", findings.join("\n"));
}

#[test]
fn rust_files_are_short() {
    check(".rs", rust::file_length);
}

#[test]
fn functions_are_short() {
    check(".rs", rust::function_length);
}

#[test]
fn unsafe_stands_only_where_it_must() {
    check(".rs", rust::unsafe_code);
}

#[test]
fn safe_crates_forbid_unsafe() {
    let tree = tree();
    for root in rust::SAFE_ROOTS {
        clean(rust::forbids_unsafe(root, tree.get(root).map_or("", String::as_str)));
    }
}

#[test]
fn rust_is_indented_by_spaces() {
    check(".rs", text::tabs);
}

#[test]
fn no_line_ends_in_whitespace() {
    for ending in [".rs", ".md", ".toml", ".sh"] {
        check(ending, text::trailing_whitespace);
    }
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    check("", text::machine_paths);
}

#[test]
fn modules_of_the_library_import_what_is_below_them() {
    check(".rs", imports::direction);
}

#[test]
fn files_of_a_crate_do_not_import_in_circles() {
    let tree = tree();
    let crates = ["kv/", "hostfs/", "block-virtio/", "unikernel-app/", "unikernel-app/hermit/"];
    for name in crates {
        clean(imports::circles(&tree, &format!("{name}src/")));
    }
    clean(imports::circles(&tree, "tests/harness/"));
}

#[test]
fn a_page_has_one_title() {
    check(".md", markdown::title);
}

#[test]
fn links_lead_somewhere() {
    let tree = tree();
    let pages = files(&tree, ".md");
    clean(pages.flat_map(|(path, text)| markdown::links(path, text, &tree)).collect());
}
