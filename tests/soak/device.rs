//! One store on one device, with its model.

use nerite::{Batch, CreateOptions, Error, Key, KvWrite, OpenOptions, Store, Timestamp};
use nerite_tests::{Contents, Fate, Random, SimDisk, TestClock, differences, try_contents};
use std::sync::Arc;

/// What the store may take of memory: little, so that checkpoints come often.
struct Limits {
    delta_entries: usize,
    tail_bytes: u64,
    step_nodes: usize,
    cache_bytes: usize,
}

/// A run: what it is given follows from its seed.
pub(crate) struct Run {
    random: Random,
    size: u64,
    block: u32,
    limits: Limits,
    /// Values have up to so many bytes.
    value_max: usize,
    /// Now and then one has up to so many.
    large_max: usize,
    /// Names in a dictionary.
    names: usize,
    clock: TestClock,
    store: Option<Store<Arc<SimDisk>>>,
    disk: Arc<SimDisk>,
    model: Contents,
    pub(crate) operations: u64,
    /// How often the store had no room.
    full: u64,
}

impl Run {
    pub(crate) fn new(seed: u64, size: Option<u64>, block: Option<u32>) -> Self {
        let mut random = Random::new(seed);
        let drawn = *random.pick(&[64 << 10, 128 << 10, 256 << 10, 1 << 20, 4 << 20]);
        let size = size.unwrap_or(drawn);
        let drawn = *random.pick(&[512, 1024, 4096]);
        let block = block.unwrap_or(drawn);
        let value_max = *random.pick(&[100, 400, 1000, 3000]);
        let large_max = *random.pick(&[0, 5000, 20_000, 300_000]);
        let names = *random.pick(&[3, 20, 100, 1000]);
        let limits = Limits {
            delta_entries: *random.pick(&[8, 50, 400, 8192]),
            tail_bytes: *random.pick(&[16 << 10, 128 << 10, 8 << 20]),
            step_nodes: *random.pick(&[1, 4, 64]),
            cache_bytes: *random.pick(&[0, 64 << 10, 8 << 20]),
        };
        let bytes = vec![0; usize::try_from(size).expect("a small device")];
        let disk = Arc::new(SimDisk::from_bytes(512, bytes));
        let inline = *random.pick(&[0, 128, 512]);
        let create = CreateOptions::new(random.next()).block_size(block).inline_values(inline);
        Store::create(&disk, create).expect("a blank device of a possible size");
        let clock = TestClock::new(0);
        let model = Contents::new();
        let (operations, full) = (0, 0);
        let mut run = Self {
            random,
            size,
            block,
            limits,
            value_max,
            large_max: large_max.min(usize::try_from(size / 5).expect("a small device")),
            names,
            clock,
            store: None,
            disk,
            model,
            operations,
            full,
        };
        run.open().expect("a new store opens");
        run
    }

    pub(crate) fn describe(&self) -> String {
        let Self { size, block, operations, full, .. } = self;
        let stat = self.store.as_ref().map(Store::stat);
        format!(
            "{size} bytes, blocks of {block}: {operations} operations, full {full} times, {stat:?}"
        )
    }

    pub(crate) fn args(&self) -> String {
        format!("--size {} --block {}", self.size, self.block)
    }

    /// One operation.
    pub(crate) fn step(&mut self) -> Result<(), String> {
        self.operations += 1;
        match self.random.below(1000) {
            0..600 => self.set(),
            600..800 => self.remove(),
            800..803 => self.remove_dictionary(),
            803..820 => self.rename(),
            820..830 => self.batch(),
            830..835 => self.judge(),
            835..838 => self.reopen(),
            838..845 => self.fill(),
            845..870 => self.part(),
            870..875 => self.allocate(),
            875..895 => self.set_large(),
            _ => self.overwrite(),
        }
    }

    fn store(&self) -> &Store<Arc<SimDisk>> {
        self.store.as_ref().expect("it is open between operations")
    }

    fn key(&mut self) -> Key {
        let (dictionary, name) = (self.random.below(6), self.random.below(self.names));
        format!("d{dictionary}/n{name}").parse().expect("a key")
    }

    fn value(&mut self, max: usize) -> Vec<u8> {
        let len = self.random.below(max + 1);
        self.random.bytes(len)
    }

    fn put(&mut self, key: &Key, value: Vec<u8>, must: bool) -> Result<bool, String> {
        let time = Timestamp(self.operations);
        self.clock.set(time);
        match self.store().set(key, &value) {
            Ok(()) => {
                self.model.insert(key.clone(), (value, time));
                Ok(true)
            }
            Err(Error::NoSpace { .. }) if !must => {
                self.full += 1;
                Ok(false)
            }
            Err(error) => Err(format!("set {key} to {} bytes: {error}", value.len())),
        }
    }

    fn set(&mut self) -> Result<(), String> {
        let key = self.key();
        let value = self.value(self.value_max);
        self.put(&key, value, false).map(|_| ())
    }

    /// Sets and removals at once, or none of them.
    fn batch(&mut self) -> Result<(), String> {
        let (mut batch, mut after) = (Batch::new(), self.model.clone());
        let time = Timestamp(self.operations);
        for _ in 0..=self.random.below(30) {
            let key = self.key();
            if self.random.one_in(3) {
                batch.remove(&key);
                after.remove(&key);
            } else {
                let long = self.random.one_in(10);
                let value = self.value(if long { self.large_max / 4 } else { self.value_max });
                batch.set(&key, &value);
                after.insert(key, (value, time));
            }
        }
        self.clock.set(time);
        match self.store().write(&batch) {
            Ok(()) => self.model = after,
            Err(Error::NoSpace { .. }) => self.full += 1,
            Err(error) => return Err(format!("a batch of {}: {error}", batch.len())),
        }
        Ok(())
    }

    fn set_large(&mut self) -> Result<(), String> {
        let key = self.key();
        let value = self.value(self.large_max);
        self.put(&key, value, false).map(|_| ())
    }

    /// Writes over a part of what is there, or behind it.
    fn part(&mut self) -> Result<(), String> {
        let Some((key, len)) = self.existing() else { return Ok(()) };
        let offset = self.random.below(len + 1);
        let most = if self.random.one_in(4) { self.large_max } else { self.value_max };
        let data = self.value(most);
        let time = Timestamp(self.operations);
        self.clock.set(time);
        match self.store().set_partial(&key, offset as u64, &data) {
            Ok(()) => {
                let (value, modified) = self.model.get_mut(&key).expect("it is there");
                let end = (offset + data.len()).min(len);
                value.splice(offset..end, data);
                *modified = time;
                Ok(())
            }
            Err(Error::NoSpace { .. }) => {
                self.full += 1;
                Ok(())
            }
            Err(error) => Err(format!("part of {key} at {offset}: {error}")),
        }
    }

    fn allocate(&mut self) -> Result<(), String> {
        let (key, size) = (self.key(), self.random.below(self.large_max + 1));
        let time = Timestamp(self.operations);
        match self.store().allocate(&key, size as u64, Some(time)) {
            Ok(()) => {
                self.model.insert(key, (vec![0; size], time));
                Ok(())
            }
            Err(Error::AlreadyPresent(_)) => Ok(()),
            Err(Error::NoSpace { .. }) => {
                self.full += 1;
                Ok(())
            }
            Err(error) => Err(format!("allocate {key}: {error}")),
        }
    }

    /// Fills the store until it has no room.
    fn fill(&mut self) -> Result<(), String> {
        for _ in 0..10_000 {
            let key = self.key();
            let value = self.value(self.value_max);
            self.operations += 1;
            if !self.put(&key, value, false)? {
                break;
            }
        }
        Ok(())
    }

    /// Something no longer in place of what is there: it always fits, if a segment holds it.
    fn overwrite(&mut self) -> Result<(), String> {
        let Some((key, len)) = self.existing() else { return Ok(()) };
        let value = self.value(len);
        let must = len as u64 <= self.store().info().segment_size;
        self.put(&key, value, must).map(|_| ())
    }

    fn existing(&mut self) -> Option<(Key, usize)> {
        let from = self.key();
        let mut found = self.model.range(&from..).chain(self.model.range(..&from));
        found.next().map(|(key, (value, _))| (key.clone(), value.len()))
    }

    fn remove(&mut self) -> Result<(), String> {
        let Some((key, _)) = self.existing() else { return Ok(()) };
        self.store().remove(&key).map_err(|error| format!("remove {key}: {error}"))?;
        self.model.remove(&key);
        Ok(())
    }

    fn remove_dictionary(&mut self) -> Result<(), String> {
        let key: Key = format!("d{}", self.random.below(6)).parse().expect("a key");
        self.store().remove(&key).map_err(|error| format!("remove {key}: {error}"))?;
        self.model.retain(|found, _| !found.starts_with(&key));
        Ok(())
    }

    fn rename(&mut self) -> Result<(), String> {
        let Some((key, _)) = self.existing() else { return Ok(()) };
        let dest = self.key();
        match self.store().rename(&key, &dest) {
            Ok(()) => {
                let value = self.model.remove(&key).expect("it is there");
                self.model.insert(dest, value);
                Ok(())
            }
            Err(Error::NoSpace { .. }) => {
                self.full += 1;
                Ok(())
            }
            Err(error) => Err(format!("rename {key} to {dest}: {error}")),
        }
    }

    /// The store holds what the model does, and is sound.
    pub(crate) fn judge(&mut self) -> Result<(), String> {
        let found = try_contents(self.store()).map_err(|untold| untold.to_string())?;
        if found != self.model {
            return Err(differences(&self.model, &found).join("\n"));
        }
        match self.store().verify() {
            Ok(findings) if findings.is_empty() => Ok(()),
            told => Err(format!("verify: {told:?}")),
        }
    }

    /// Closes it, or lets the power fail.
    fn reopen(&mut self) -> Result<(), String> {
        let store = self.store.take().expect("it is open between operations");
        if self.random.one_in(3) {
            store.close().map_err(|error| format!("close: {error}"))?;
        } else {
            drop(store);
        }
        let fate = [Fate::Old, Fate::New][self.random.below(2)];
        let image = self.disk.crash(|_| fate);
        self.disk = Arc::new(SimDisk::from_bytes(512, image));
        self.open()?;
        self.judge()
    }

    fn open(&mut self) -> Result<(), String> {
        let Limits { delta_entries, tail_bytes, step_nodes, cache_bytes } = self.limits;
        let options = OpenOptions::new(self.random.next())
            .delta_entries(delta_entries)
            .tail_bytes(tail_bytes)
            .step_nodes(step_nodes)
            .cache_bytes(cache_bytes);
        let (disk, clock) = (Arc::clone(&self.disk), self.clock.clone());
        let store = Store::open(disk, clock, options).map_err(|error| format!("open: {error}"))?;
        self.store = Some(store);
        Ok(())
    }
}
