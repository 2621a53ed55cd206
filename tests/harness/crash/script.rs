//! What happens to a disk, from its making to its last crash, as a value with a text form.
//!
//! ```text
//! disk 64K block 512 clock still deltas large seed 7: set /a 600t1; open; mv /a /b cut 1 n,o: set /a 600t2 cut 2 o
//! ```
//!
//! A head, then lives. A life opens the store, takes its steps, and ends when power is lost: after
//! so many events of its last step, with a [`Fate`] for each sector pending then (those that are
//! not told are old). `rot 4096 f` behind that lets one sector rot besides.

use super::shape::Shape;
use crate::disk::{Fate, Fault};
use crate::write::{Path, Value, Write, parse_path, parse_value};
use nerite::Key;
use std::fmt;
use std::str::FromStr;

/// One thing done to a store or to its disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A call.
    Write(Write),
    /// A writer begins, and is given all of this value: what it has not made durable, it holds.
    Begin(Key, Value),
    /// The writer commits, or is dropped. (It is dropped too when another one begins, or the process
    /// ends.)
    End {
        /// Whether it commits.
        commit: bool,
    },
    /// The process ends and another one opens the store: what is cached stays cached.
    Open,
    /// The same after `close`.
    Close,
    /// A request to come will fail, once.
    Fault(Fault),
}

/// How a life ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cut {
    /// Writes and flushes of the last step that happened before power was lost.
    pub events: usize,
    /// What became of the sectors that were pending then, in the order in which they were written.
    pub fates: Vec<Fate>,
    /// A sector that rots besides, by its offset on the disk.
    pub rot: Option<(usize, Fate)>,
}

/// From one opening of the store to the next loss of power.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Life {
    /// In order.
    pub steps: Vec<Step>,
    /// None if power was not lost.
    pub cut: Option<Cut>,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// The disk and its store.
    pub shape: Shape,
    /// Where uuid, birth and epochs come from.
    pub seed: u64,
    /// In order.
    pub lives: Vec<Life>,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(write) => write!(f, "{write}"),
            Self::Begin(key, value) => write!(f, "begin {} {value}", Path(key)),
            Self::End { commit } => f.write_str(if *commit { "commit" } else { "drop" }),
            Self::Open => f.write_str("open"),
            Self::Close => f.write_str("close"),
            Self::Fault(fault) => write!(f, "fail {fault}"),
        }
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cut {}", self.events)?;
        for (number, fate) in self.fates.iter().enumerate() {
            write!(f, "{}{fate}", if number == 0 { " " } else { "," })?;
        }
        match self.rot {
            Some((offset, fate)) => write!(f, " rot {offset} {fate}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Life {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, step) in self.steps.iter().enumerate() {
            write!(f, "{}{step}", if number == 0 { "" } else { "; " })?;
        }
        match &self.cut {
            Some(cut) => write!(f, " {cut}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} seed {}", self.shape, self.seed)?;
        self.lives.iter().try_for_each(|life| write!(f, ": {life}"))
    }
}

/// Why a text is no script: the part that is not understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoScript(String);

impl fmt::Display for NoScript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no part of a script", self.0)
    }
}

impl std::error::Error for NoScript {}

fn parse_step(text: &str) -> Option<Step> {
    match text {
        "open" => Some(Step::Open),
        "close" => Some(Step::Close),
        "commit" => Some(Step::End { commit: true }),
        "drop" => Some(Step::End { commit: false }),
        _ => {
            if let Some(fault) = text.strip_prefix("fail ") {
                return fault.parse().ok().map(Step::Fault);
            }
            let Some(begin) = text.strip_prefix("begin ") else {
                return text.parse().ok().map(Step::Write);
            };
            let (key, value) = begin.split_once(' ')?;
            Some(Step::Begin(parse_path(key)?, parse_value(value)?))
        }
    }
}

fn parse_cut(text: &str) -> Option<Cut> {
    let (cut, rot) = match text.split_once(" rot ") {
        Some((cut, rot)) => {
            let (offset, fate) = rot.trim().split_once(' ')?;
            (cut, Some((offset.parse().ok()?, fate.parse().ok()?)))
        }
        None => (text, None),
    };
    let mut words = cut.split_whitespace();
    let events = words.next()?.parse().ok()?;
    let fates = words.next().map_or(Some(Vec::new()), |fates| {
        fates.split(',').map(|fate| fate.parse().ok()).collect()
    })?;
    words.next().is_none().then_some(Cut { events, fates, rot })
}

fn parse_life(text: &str) -> Option<Life> {
    let (steps, cut) = match text.split_once(" cut ") {
        Some((steps, cut)) => (steps, Some(parse_cut(cut)?)),
        None => (text, None),
    };
    let steps = steps.split(';').map(str::trim).filter(|step| !step.is_empty());
    Some(Life { steps: steps.map(parse_step).collect::<Option<_>>()?, cut })
}

fn parse_head(text: &str) -> Option<(Shape, u64)> {
    let words: Vec<_> = text.split_whitespace().collect();
    match Shape::from_words(&words)? {
        (shape, ["seed", seed]) => Some((shape, seed.parse().ok()?)),
        _ => None,
    }
}

impl FromStr for Script {
    type Err = NoScript;

    fn from_str(text: &str) -> Result<Self, NoScript> {
        let no_script = |part: &str| NoScript(part.to_owned());
        let mut parts = text.trim().split(':');
        let head = parts.next().unwrap_or_default();
        let (shape, seed) = parse_head(head).ok_or_else(|| no_script(head))?;
        let lives = parts.map(|part| parse_life(part).ok_or_else(|| no_script(part)));
        Ok(Self { shape, seed, lives: lives.collect::<Result<_, _>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "disk 64K block 512 clock still deltas large dirty seed 7: set /a 600t1; part /a 3 9h2; \
                        alloc /b 7 5; fail read 1; fail write 3 0 always; fail flush cached 1; open; \
                        begin /w 5000t3; rm /w; commit; begin /w 7h4; drop; \
                        mv /a /b cut 1 n,o,h37,t5,z,f,g99: close; rm / cut 0 rot 4096 f: alloc /a 7";

    #[test]
    fn comes_back_from_its_text() {
        let script: Script = LINE.parse().unwrap();
        assert_eq!(script.lives.len(), 3);
        assert_eq!(script.lives[0].cut.as_ref().unwrap().fates.len(), 7);
        assert_eq!(script.lives[1].cut.as_ref().unwrap().rot, Some((4096, Fate::Ones)));
        assert_eq!(script.lives[2].cut, None);
        assert_eq!(script.to_string(), LINE);
    }

    #[test]
    fn what_is_no_script_is_told_by_its_part() {
        let told = |text: &str| text.parse::<Script>().unwrap_err().to_string();
        let head = "disk 64K block 512 clock still deltas large seed 7";
        assert!(told("disk 64").contains("disk 64"));
        for part in [" sit /a", " open cut", " open cut 1 x", " open cut 1 n rot 5", " cut 1 n n"] {
            assert!(told(&format!("{head}:{part}")).contains(part.trim()), "{part}");
        }
    }
}
