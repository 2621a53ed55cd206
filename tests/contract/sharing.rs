//! The traits behind pointers, and one store for many threads.

use crate::subject::{Medium, Ram};
use crate::support::key;
use nerite::{Error, Key, Kind, KvRead, KvWrite};
use nerite_tests::{Model, TestClock, contents};
use std::sync::Arc;
use std::thread;

/// As a library would take a store: by value, whatever the pointer.
fn count_boot(kv: impl KvWrite) -> Result<u64, Error> {
    let key = Key::new("boot/count")?;
    let mut bytes = [0; 8];
    if kv.exists(&key)? == Some(Kind::Value) {
        kv.get_partial(&key, 0, &mut bytes)?;
    }
    let count = u64::from_le_bytes(bytes) + 1;
    kv.set(&key, &count.to_le_bytes())?;
    Ok(count)
}

fn kinds(kv: impl KvRead) -> Vec<Kind> {
    kv.list(&Key::ROOT).unwrap().iter().map(|entry| entry.kind).collect()
}

#[test]
fn a_store_serves_as_reference_box_and_arc() {
    let clock = TestClock::new(1);
    let store = Ram::<512>::formatted().open(&clock, 2);
    assert_eq!(count_boot(&store).unwrap(), 1);
    assert_eq!(count_boot(&store as &dyn KvWrite).unwrap(), 2);
    let shared = Arc::new(store);
    assert_eq!(count_boot(Arc::clone(&shared)).unwrap(), 3);
    let dynamic: Arc<dyn KvWrite + Send + Sync> = Arc::clone(&shared) as _;
    assert_eq!(count_boot(dynamic).unwrap(), 4);
    let boxed: Box<dyn KvWrite> = Box::new(shared);
    assert_eq!(count_boot(&boxed).unwrap(), 5);
    assert_eq!(kinds(&boxed as &dyn KvRead), [Kind::Dictionary]);
    let stores: [Box<dyn KvWrite>; 2] = [boxed, Box::new(Model::new(clock))];
    assert_eq!(stores.map(|store| count_boot(store).unwrap()), [6, 1]);
}

const THREADS: usize = 8;
const SETS: usize = 50;

fn mine(thread: usize, number: usize) -> (Key, Vec<u8>) {
    (key(format!("t{thread}/{number}")), format!("{thread} set {number}").into_bytes())
}

fn write(store: &dyn KvWrite, thread: usize) {
    for number in 0..SETS {
        let (key, value) = mine(thread, number);
        store.set(&key, &value).unwrap();
        assert_eq!(store.get(&key).unwrap(), value);
        assert!(store.list(&Key::ROOT).unwrap().len() <= THREADS);
    }
}

/// Each thread sees its own writes at once, and all of them are there after reopening.
fn threads_write_at_once<M: Medium>()
where
    M::Device: Send + Sync + 'static,
{
    let clock = TestClock::new(1);
    let medium = M::formatted();
    let store = Arc::new(medium.open(&clock, 2));
    let start = |thread| {
        let store = Arc::clone(&store);
        thread::spawn(move || write(&store, thread))
    };
    let threads: Vec<_> = (0..THREADS).map(start).collect();
    for thread in threads {
        thread.join().expect("the thread's writes are there");
    }
    drop(store);
    let found = contents(&medium.open(&clock, 3));
    assert_eq!(found.len(), THREADS * SETS);
    for (key, value) in (0..THREADS).flat_map(|t| (0..SETS).map(move |n| mine(t, n))) {
        assert_eq!(found[&key].0, value, "{key}");
    }
}

#[test]
fn threads_write_at_once_to_ram_in_small_blocks() {
    threads_write_at_once::<Ram<512>>();
}

#[test]
fn threads_write_at_once_to_ram() {
    threads_write_at_once::<Ram<4096>>();
}

#[cfg(feature = "host")]
#[test]
fn threads_write_at_once_to_a_file() {
    threads_write_at_once::<crate::subject::Image>();
}
