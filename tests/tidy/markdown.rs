//! Pages: one title each, and links that lead somewhere.

use crate::Tree;

/// The lines of a page that are prose, with their numbers from 1, code spans blanked.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fence: Option<&str> = None;
    text.lines().enumerate().filter_map(move |(number, line)| {
        let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => return Some((number + 1, without_code(line))),
            _ => {}
        }
        None
    })
}

fn without_code(line: &str) -> String {
    let mut is_code = false;
    let blank = |c| {
        is_code ^= c == '`';
        if is_code && c != '`' { ' ' } else { c }
    };
    // A lone backtick opens nothing.
    let is_paired = line.matches('`').count().is_multiple_of(2);
    if is_paired { line.chars().map(blank).collect() } else { line.to_owned() }
}

pub(crate) fn title(path: &str, text: &str) -> Vec<String> {
    let titles = prose(text).filter(|(_, line)| line.starts_with("# ")).count();
    let finding = format!("{path}: {titles} titles, one is expected");
    (titles != 1).then_some(finding).into_iter().collect()
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors: Vec<String> = Vec::new();
    let plain: Vec<_> = text.lines().collect();
    for (number, _) in prose(text).filter(|(_, line)| line.starts_with('#')) {
        let heading = plain[number - 1].trim_start_matches('#');
        let slug: String = heading
            .trim()
            .to_lowercase()
            .chars()
            .filter(|&c| c.is_alphanumeric() || " -_".contains(c))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let earlier = anchors.iter().filter(|anchor| **anchor == slug).count();
        anchors.push(if earlier == 0 { slug } else { format!("{slug}-{earlier}") });
    }
    anchors
}

/// Where the links of a page lead, with their lines.
fn targets(text: &str) -> Vec<(usize, String)> {
    let mut targets = Vec::new();
    for (number, line) in prose(text) {
        let inline = line.match_indices("](").map(|(at, found)| &line[at + found.len()..]);
        let inline = inline.map(|rest| rest.split(')').next().unwrap_or(rest));
        let definition = line.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
        for target in inline.chain(definition.map(|(_, target)| target)) {
            let target = target.split_whitespace().next().unwrap_or("");
            targets.push((number, target.trim_matches(['<', '>']).to_owned()));
        }
    }
    targets
}

pub(crate) fn links(path: &str, text: &str, tree: &Tree) -> Vec<String> {
    let is_elsewhere = |target: &str| target.contains("://") || target.starts_with("mailto:");
    let links = targets(text).into_iter().filter(|(_, target)| !is_elsewhere(target));
    links
        .filter(|(_, target)| !leads_somewhere(path, target, tree))
        .map(|(line, target)| format!("{path}:{line}: the link to {target:?} leads nowhere"))
        .collect()
}

fn leads_somewhere(from: &str, target: &str, tree: &Tree) -> bool {
    let (file, anchor) =
        target.split_once('#').map_or((target, None), |(file, anchor)| (file, Some(anchor)));
    let path = if file.is_empty() { Some(from.to_owned()) } else { resolve(from, file) };
    let Some(path) = path.filter(|_| !target.is_empty()) else { return false };
    match (tree.get(&path), anchor) {
        (Some(text), Some(anchor)) => anchors(text).iter().any(|known| known == anchor),
        (Some(_), None) => true,
        (None, _) => {
            let folder = format!("{}/", path.trim_end_matches('/'));
            anchor.is_none() && tree.keys().any(|known| known.starts_with(&folder))
        }
    }
}

/// The path from the root that `target` means in the page `from`; none if it leaves the tree.
fn resolve(from: &str, target: &str) -> Option<String> {
    let mut steps: Vec<&str> = from.split('/').collect();
    steps.pop();
    for step in target.split('/') {
        match step {
            "." => {}
            ".." => drop(steps.pop()?),
            step => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_second_title_is_found_and_so_is_a_missing_one() {
        assert!(title("a.md", "# A\n\n## B\n\n```sh\n# not a title\n```\n").is_empty());
        assert_eq!(title("a.md", "# A\n# B\n").len(), 1);
        assert_eq!(title("a.md", "```\n# A\n```\n## B\n").len(), 1);
    }

    #[test]
    fn planted_dead_links_are_found() {
        let tree: Tree = [
            ("README.md", "# A title, `code` & more\n## Two\n## Two\n"),
            ("docs/design.md", "# Design\n"),
            ("kv/src/lib.rs", ""),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .into();
        let dead = |from: &str, text: &str| links(from, text, &tree);
        for good in [
            "[a](design.md)",
            "[a](../README.md#a-title-code--more) and [b](../README.md#two-1)",
            "[a](design.md#design) [b](#design)",
            "[a](../kv/src) [b](../kv/) [c](./design.md \"title\") [d](<../kv/src/lib.rs>)",
            "[a](https://example.org/x#y)",
            "`[a](nowhere.md)`\n```\n[a](nowhere.md)\n```",
            "[a]: ../README.md",
        ] {
            assert_eq!(dead("docs/design.md", good), [""; 0]);
        }
        for bad in [
            "[a](nowhere.md)",
            "[a](../README.md#nowhere)",
            "[a](../README.md#two-2)",
            "[a](#nowhere)",
            "[a](/README.md)",
            "[a](../../README.md)",
            "[a]()",
            "[a](../kv/src#x)",
            "[a]: nowhere.md",
            "[`a`](nowhere.md)",
        ] {
            assert_eq!(dead("docs/design.md", bad).len(), 1, "{bad}");
        }
    }
}
