//! Writers that are killed (SIGKILL) in the middle of their work: what they had acknowledged is there.
//!
//! The writer is this program once more, with the image in its environment. It prints the number of
//! each set when it is durable. Where it dies depends on the machine; what must hold does not.
//! `NERITE_KILLS` asks for more than the few that always run.

use nerite::{Batch, CreateOptions, Error, Key, KvRead, OpenOptions, Store};
use nerite_hostfs::{FileDevice, SystemClock};
use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::tempdir;

const IMAGE: &str = "NERITE_KILLED_IMAGE";
const START: &str = "NERITE_KILLED_START";
const KEYS: u64 = 60;
/// Numbers that one operation sets: a batch has some, a `set` one.
const BATCH: u64 = 5;

fn key(number: u64) -> Key {
    format!("/k/{}", number % KEYS).parse().unwrap()
}

fn value(number: u64) -> Vec<u8> {
    let len = [10, 90, 400, 1500][(number % 4) as usize];
    let text = format!("{number} ");
    text.bytes().cycle().take(len.max(text.len())).collect()
}

fn number_of(value: &[u8]) -> u64 {
    let text = value.split(|&byte| byte == b' ').next().unwrap();
    let number = std::str::from_utf8(text).unwrap().parse().unwrap();
    assert!(value == self::value(number), "a value that nobody has written");
    number
}

fn open(image: &Path, seed: u64) -> Store<FileDevice> {
    let options = OpenOptions::new(seed).delta_entries(40).step_nodes(4);
    Store::open(FileDevice::open(image).unwrap(), SystemClock, options).unwrap()
}

/// The writer, in a process of its own: it goes on until it is killed.
#[test]
fn writer() {
    let Some(image) = env::var_os(IMAGE) else { return };
    let start: u64 = env::var(START).unwrap().parse().unwrap();
    let store = open(image.as_ref(), start);
    let mut out = std::io::stdout();
    let mut number = start;
    loop {
        let count = if number.is_multiple_of(3) { BATCH } else { 1 };
        let mut batch = Batch::new();
        (number..number + count).for_each(|number| batch.set(&key(number), &value(number)));
        store.write(&batch).unwrap();
        number += count;
        writeln!(out, "\nset {}", number - 1).unwrap();
        out.flush().unwrap();
    }
}

/// Lets a writer go on from `start` and kills it after so many acknowledgements. Tells the last
/// number that it has acknowledged.
fn kill_after(image: &Path, start: u64, acknowledgements: usize) -> Option<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "writer", "--nocapture"])
        .env(IMAGE, image)
        .env(START, start.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let acknowledged = |line: String| line.strip_prefix("set ").map(|n| n.parse::<u64>().unwrap());
    let before = lines.by_ref().filter_map(acknowledged).take(acknowledgements).last();
    child.kill().unwrap();
    // What it could say until then.
    let last = lines.filter_map(acknowledged).last().or(before);
    child.wait().unwrap();
    last
}

#[test]
fn what_a_killed_writer_has_acknowledged_is_there() {
    let kills: usize = env::var("NERITE_KILLS").map_or(30, |kills| kills.parse().unwrap());
    let folder = tempdir().unwrap();
    let image = folder.path().join("disk.img");
    Store::create(&FileDevice::create(&image, 512 << 10).unwrap(), CreateOptions::new(1)).unwrap();
    let (mut next, mut held) = (1, BTreeMap::<Key, u64>::new());
    for round in 0..kills {
        let last = kill_after(&image, next, round * 7 % 40).unwrap_or(next - 1);
        held.extend((next..=last).map(|number| (key(number), number)));
        let store = open(&image, next);
        assert_eq!(store.verify().unwrap(), [], "round {round}");
        let mut found = 0;
        for number in 0..KEYS {
            let acknowledged = held.get(&key(number)).copied();
            match store.get(&key(number)) {
                Ok(value) => {
                    let number = number_of(&value);
                    assert!(
                        acknowledged.is_none_or(|least| least <= number),
                        "round {round}: {number}"
                    );
                    // What was under way when it was killed may be there too.
                    assert!(number <= last + BATCH, "round {round}: {number} after {last}");
                    found = found.max(number);
                    held.insert(key(number), number);
                }
                Err(Error::NotFound(_)) => {
                    assert_eq!(acknowledged, None, "round {round}: {number}");
                }
                Err(error) => panic!("round {round}: {error}"),
            }
        }
        // A batch is there whole.
        assert!((last + 1..=found).all(|number| held.get(&key(number)) == Some(&number)));
        next = found.max(last) + 1;
    }
    assert!(next > kills as u64, "writers were killed before they had done anything");
}
