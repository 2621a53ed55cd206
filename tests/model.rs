//! Random operations, on a store and on the oracle in step: the same answers, the same contents.
//!
//! A failure names the case, its seed and the operation, and comes again with them.

#![forbid(unsafe_code)]

use nerite::{CreateOptions, Error, Key, KvWrite, MemoryDevice, OpenOptions, Store};
use nerite_tests::{KvBatch, Model, Random, TestClock, Value, Write, contents, differences};
use std::fmt::Debug;
use std::sync::Arc;

/// One call, with everything that it is given.
#[derive(Clone, Debug)]
enum Op {
    Exists(Key),
    Get(Key),
    GetPartial(Key, u64, usize),
    ListPage(Key, Option<Vec<u8>>, usize),
    Size(Key),
    LastModified(Key),
    Digest(Key),
    Write(Write),
    /// Opens the store again, after `close` or after dropping it.
    Reopen {
        close: bool,
    },
}

impl Op {
    /// What the call answers, as text: values whole, errors with their keys.
    fn run(&self, kv: &dyn KvBatch) -> Result<String, Error> {
        fn text<T: Debug>(answer: Result<T, Error>) -> Result<String, Error> {
            answer.map(|answer| format!("{answer:?}"))
        }
        match self {
            Self::Exists(key) => text(kv.exists(key)),
            Self::Get(key) => text(kv.get(key)),
            Self::GetPartial(key, offset, len) => {
                let mut buf = vec![0; *len];
                text(kv.get_partial(key, *offset, &mut buf).map(|got| buf[..got].to_vec()))
            }
            Self::ListPage(key, after, limit) => text(kv.list_page(key, after.as_deref(), *limit)),
            Self::Size(key) => text(kv.size(key)),
            Self::LastModified(key) => text(kv.last_modified(key)),
            Self::Digest(key) => text(kv.digest(key)),
            Self::Write(write) => text(write.run(kv)),
            Self::Reopen { .. } => Ok(String::new()),
        }
    }
}

/// Draws operations for stores of one block size.
struct Generator {
    random: Random,
    block_size: usize,
    /// Values so far.
    marks: u32,
}

impl Generator {
    /// Few names, so that keys meet; some sort around `/`.
    const NAMES: [&[u8]; 6] = [b"a", b"b", b"a-", b"a.", b"!", b"ab\xff"];

    fn key(&mut self) -> Key {
        let depth = 1 + self.random.below(3);
        let depth = if self.random.one_in(12) { 0 } else { depth };
        let mut names = (0..depth).map(|_| *self.random.pick(&Self::NAMES));
        names.try_fold(Key::ROOT, |key, name| key.join(name)).expect("short keys")
    }

    /// Most values are small; some sizes are around whole blocks.
    fn size(&mut self) -> usize {
        let block = self.block_size;
        match self.random.below(8) {
            0..4 => self.random.below(100),
            4 => self.random.below(block),
            5 => block * (1 + self.random.below(2)) - 150 + self.random.below(300),
            6 => self.random.below(3 * block),
            _ => 0,
        }
    }

    fn value(&mut self) -> Value {
        let (len, at_tail) = (self.size(), self.random.one_in(2));
        self.marks += 1;
        Value { len, mark: self.marks, at_tail }
    }

    fn offset(&mut self) -> u64 {
        if self.random.one_in(10) { self.random.next() } else { self.size() as u64 }
    }

    /// Few keys, so that the operations have to do with each other.
    fn batch(&mut self) -> Vec<Write> {
        let count = self.random.below(12);
        let draw = |_| match self.random.below(3) {
            0 => Write::Remove(self.key()),
            _ => Write::Set(self.key(), self.value()),
        };
        (0..count).map(draw).collect()
    }

    fn op(&mut self) -> Op {
        match self.random.below(43) {
            40.. => Op::Write(Write::Batch(self.batch())),
            0..12 => Op::Write(Write::Set(self.key(), self.value())),
            12..15 => Op::Write(Write::SetPartial(self.key(), self.offset(), self.value())),
            15..17 => {
                let time = self.random.next();
                let time = self.random.one_in(2).then_some(time);
                Op::Write(Write::Allocate(self.key(), self.size() as u64, time))
            }
            17..21 => Op::Write(Write::Remove(self.key())),
            21..27 => Op::Write(Write::Rename(self.key(), self.key())),
            27 => Op::Exists(self.key()),
            28..30 => Op::Get(self.key()),
            30..32 => Op::GetPartial(self.key(), self.offset(), self.size()),
            32..34 => {
                let after = self.random.one_in(2).then(|| self.random.pick(&Self::NAMES).to_vec());
                Op::ListPage(self.key(), after, self.random.below(5))
            }
            34 => Op::Size(self.key()),
            35 => Op::LastModified(self.key()),
            36 => Op::Digest(self.key()),
            _ => Op::Reopen { close: self.random.one_in(2) },
        }
    }
}

/// What a mount is told besides its seed.
type Tune = fn(OpenOptions) -> OpenOptions;

/// Deltas of a few keys, nodes of a few keys, steps of a few nodes, and hardly any cache: so that
/// checkpoints, splits and merges of nodes, and second looks at the device are everywhere.
fn tiny(options: OpenOptions) -> OpenOptions {
    options.delta_entries(4).node_entries(4).step_nodes(2).cache_bytes(8 << 10)
}

/// Nodes as large as they get, and deltas and steps that take a few of them.
fn small(options: OpenOptions) -> OpenOptions {
    options.delta_entries(20).step_nodes(2).cache_bytes(16 << 10)
}

/// A store and the oracle, kept in step.
struct Pair {
    device: Arc<MemoryDevice>,
    /// None only while it is opened again.
    store: Option<Store<Arc<MemoryDevice>>>,
    model: Model,
    /// It stands still during a call: how often a call looks at it is no promise.
    clock: TestClock,
    mounts: u64,
    tune: Tune,
    /// The device was full.
    was_full: bool,
}

impl Pair {
    fn new(block_size: u32, size: u32, tune: Tune) -> Self {
        let device = Arc::new(MemoryDevice::new(512, size / 512));
        let options = CreateOptions::new(1).block_size(block_size);
        Store::create(&device, options).expect("a blank device takes a store");
        let clock = TestClock::new(0);
        let model = Model::new(clock.clone());
        let mut pair = Self { device, store: None, model, clock, mounts: 0, tune, was_full: false };
        pair.open();
        pair
    }

    fn open(&mut self) {
        self.mounts += 1;
        let options = (self.tune)(OpenOptions::new(self.mounts));
        let store = Store::open(Arc::clone(&self.device), self.clock.clone(), options);
        self.store = Some(store.expect("the store opens"));
    }

    fn store(&self) -> &Store<Arc<MemoryDevice>> {
        self.store.as_ref().expect("the store is open")
    }

    fn step(&mut self, op: &Op) {
        self.clock.advance(7);
        if let Op::Reopen { close } = op {
            let store = self.store.take().expect("the store is open");
            if *close {
                drop(store.close().expect("the store closes"));
            }
            self.open();
            return self.compare();
        }
        match op.run(self.store()) {
            Err(Error::NoSpace { needed, free }) => {
                assert!(needed > free, "{needed} bytes are needed, {free} are free");
                assert!(!matches!(op, Op::Write(Write::Remove(_))), "a full store removes");
                self.compare();
                self.remove_one();
            }
            Err(Error::TooLarge { size, limit }) => {
                let promised = self.store().info().value_len_max;
                assert!(size > limit && limit >= promised, "{size}, {limit}, {promised} bytes");
                self.compare();
            }
            told => {
                let told = told.map_err(|error| format!("{error:?}"));
                let expected = op.run(&self.model).map_err(|error| format!("{error:?}"));
                assert!(told == expected, "the store tells {told:?}, the model {expected:?}");
            }
        }
    }

    /// A full store lets a value go.
    fn remove_one(&mut self) {
        self.was_full = true;
        let Some(key) = self.model.contents().into_keys().next() else { return };
        self.store().remove(&key).expect("a full store removes");
        self.model.remove(&key).expect("the model removes");
        self.compare();
    }

    fn compare(&self) {
        let differences = differences(&self.model.contents(), &contents(self.store()));
        assert!(differences.is_empty(), "{}", differences.join("\n"));
        let (stat, keys) = (self.store().stat(), self.model.contents().len() as u64);
        let counted = if stat.removals_unfinished == 0 { keys..=keys } else { keys..=u64::MAX };
        assert!(counted.contains(&stat.keys), "{} keys are counted, {keys} are there", stat.keys);
        let exact = self.store().count().expect("the disk can be read");
        assert_eq!(exact.keys, keys);
        if stat.removals_unfinished == 0 {
            assert_eq!(exact.live_bytes, stat.live_bytes);
        }
        assert!(exact.live_bytes <= stat.live_bytes);
        assert_eq!(self.store().verify().expect("the disk can be read"), []);
    }
}

/// Where a run is; it tells so if the test fails there.
struct Place {
    case: String,
    number: usize,
    op: Option<Op>,
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let op = format!("{:?}", self.op);
            eprintln!("{}, operation {}: {op:.200}", self.case, self.number);
        }
    }
}

/// Runs `ops` operations for each seed, and tells how many runs filled the device.
fn agree(block_size: u32, device_size: u32, tune: Tune, seeds: u64, ops: usize) -> usize {
    let mut full = 0;
    for seed in 0..seeds {
        let case = format!("block size {block_size}, device of {device_size} bytes, seed {seed}");
        let random = Random::new(seed << 32 | u64::from(block_size));
        let mut generator = Generator { random, block_size: block_size as usize, marks: 0 };
        let mut pair = Pair::new(block_size, device_size, tune);
        let mut place = Place { case, number: 0, op: None };
        for number in 0..ops {
            place.number = number;
            pair.step(place.op.insert(generator.op()));
            if number % 32 == 0 {
                pair.compare();
            }
        }
        pair.compare();
        pair.step(&Op::Reopen { close: false });
        full += usize::from(pair.was_full);
    }
    full
}

/// The defaults.
fn same(options: OpenOptions) -> OpenOptions {
    options
}

const OPS: usize = 300;

/// Runs of each kind. `NERITE_MODEL_SEEDS` asks for more (`make model`).
fn seeds() -> u64 {
    match std::env::var("NERITE_MODEL_SEEDS") {
        Ok(seeds) => seeds.parse().expect("NERITE_MODEL_SEEDS is a number"),
        Err(_) => 20,
    }
}

#[test]
fn store_and_model_agree_at_512_byte_blocks() {
    assert_eq!(agree(512, 4 << 20, same, seeds(), OPS), 0, "there is room for all of it");
}

#[test]
fn store_and_model_agree_at_1024_byte_blocks() {
    assert_eq!(agree(1024, 8 << 20, same, seeds(), OPS), 0, "there is room for all of it");
}

#[test]
fn store_and_model_agree_at_4096_byte_blocks() {
    assert_eq!(agree(4096, 32 << 20, same, seeds(), OPS), 0, "there is room for all of it");
}

#[test]
fn store_and_model_agree_on_the_smallest_device_until_it_is_full_and_beyond() {
    for block_size in [512, 1024, 4096] {
        let full = agree(block_size, 64 << 10, same, seeds(), OPS);
        let many = usize::try_from(seeds() / 4).expect("few");
        assert!(full >= many, "only {full} of {} runs filled the device", seeds());
    }
}

#[test]
fn store_and_model_agree_on_small_devices() {
    for (block_size, device_size) in [(512, 96 << 10), (512, 256 << 10), (4096, 1 << 20)] {
        agree(block_size, device_size, same, seeds() / 2, OPS);
    }
}

#[test]
fn store_and_model_agree_while_checkpoints_go_on() {
    for (block_size, device_size) in [(512, 16 << 20), (4096, 64 << 20)] {
        for tune in [tiny, small] {
            let full = agree(block_size, device_size, tune, seeds(), OPS);
            assert_eq!(full, 0, "there is room for all of it");
        }
    }
}

#[test]
fn store_and_model_agree_where_there_is_no_room_for_checkpoints() {
    for (block_size, device_size) in [(512, 64 << 10), (512, 256 << 10), (4096, 1 << 20)] {
        agree(block_size, device_size, tiny, seeds() / 2, OPS);
    }
}
