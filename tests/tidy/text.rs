//! Whitespace, and names of places that other machines do not have.

fn lines<'a>(
    path: &'a str,
    text: &'a str,
    what: &'a str,
    is_wrong: impl Fn(&str) -> bool + 'a,
) -> Vec<String> {
    let lines = text.lines().enumerate().filter(|(_, line)| is_wrong(line));
    lines.map(|(number, _)| format!("{path}:{}: {what}", number + 1)).collect()
}

pub(crate) fn trailing_whitespace(path: &str, text: &str) -> Vec<String> {
    lines(path, text, "whitespace at the end of the line", |line| line.trim_end() != line)
}

pub(crate) fn tabs(path: &str, text: &str) -> Vec<String> {
    lines(path, text, "a tab in the indentation", |line| {
        line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t')
    })
}

/// Absolute paths into somebody's checkout or home.
pub(crate) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    // Put together here, so that this file does not name them.
    let places = ["work", "root"].map(|folder| format!("/{folder}/"));
    let starts_a_path = |line: &str, at: usize| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && !"._-/".contains(c))
    };
    lines(path, text, "a path of one machine", |line| {
        places
            .iter()
            .any(|place| line.match_indices(place.as_str()).any(|(at, _)| starts_a_path(line, at)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planted_whitespace_is_found() {
        assert_eq!(trailing_whitespace("f", "a\nb \n\n").len(), 1);
        assert_eq!(trailing_whitespace("f", "a\t"), ["f:1: whitespace at the end of the line"]);
        assert_eq!(tabs("f", "    a\n  \tb\n").len(), 1);
        assert!(tabs("f", "    a\tb\n").is_empty());
    }

    #[test]
    fn a_planted_path_is_found() {
        for place in ["work", "root"] {
            for line in [format!("cd /{place}/x"), format!("\"/{place}/\""), format!("/{place}/")] {
                assert_eq!(machine_paths("f", &line).len(), 1, "{line}");
            }
        }
        for line in ["target/work", "a/work/b", "the /root of it", "./work/x"] {
            assert!(machine_paths("f", line).is_empty(), "{line}");
        }
    }
}
