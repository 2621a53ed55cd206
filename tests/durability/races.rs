//! Readers while a writer moves what they read and uses its place again.

use super::key;
use nerite::{
    BlockDevice, CreateOptions, DeviceError, Error, Geometry, Key, KvRead, KvWrite, MemoryDevice,
    OpenOptions, ReadRequest, Store, WriteRequest,
};
use nerite_tests::{Random, TestClock};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread;

const BLOCK: u32 = 512;

fn options(seed: u64) -> OpenOptions {
    OpenOptions::new(seed).delta_entries(40).node_entries(6).step_nodes(8).cache_bytes(0)
}

/// What `key` holds after its `number`th set. Some are in leaves and some in records.
fn value(key: &Key, number: u64) -> Vec<u8> {
    let mut random = Random::new(number ^ key.as_bytes().len() as u64);
    let len = [20, 60, 150, 400][random.below(4)];
    let text = format!("{key} {number} ");
    text.bytes().chain(random.bytes(len)).collect()
}

/// Which set of `key` gave it this value.
fn number_of(key: &Key, found: &[u8]) -> u64 {
    let text = found.split(|&byte| byte == b' ').nth(1).expect("a whole value");
    let number = std::str::from_utf8(text).unwrap().parse().unwrap();
    assert_eq!(found, value(key, number), "{key}");
    number
}

type Interlude = Box<dyn FnOnce() + Send>;

/// A device that does something else right before a read.
struct Interrupted {
    device: MemoryDevice,
    /// After so many reads.
    next: Mutex<Option<(u64, Interlude)>>,
    /// Reads that brought something else than they would have brought before that.
    raced: AtomicU64,
}

impl Interrupted {
    fn at(&self, reads: u64, interlude: impl FnOnce() + Send + 'static) {
        *self.next.lock().unwrap() = Some((reads, Box::new(interlude)));
    }

    /// Whether it has not come to it.
    fn is_waiting(&self) -> bool {
        self.next.lock().unwrap().take().is_some()
    }
}

impl BlockDevice for Interrupted {
    fn geometry(&self) -> Geometry {
        self.device.geometry()
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        let due = self.next.lock().unwrap().take_if(|(reads, _)| *reads == 0);
        if let Some((reads, _)) = &mut *self.next.lock().unwrap() {
            *reads -= 1;
        }
        let Some((_, interlude)) = due else { return self.device.read(requests) };
        self.device.read(requests)?;
        let before: Vec<_> = requests.iter().map(|request| request.buf.to_vec()).collect();
        interlude();
        self.device.read(requests)?;
        let changed = requests.iter().zip(&before).any(|(request, old)| *request.buf != old[..]);
        self.raced.fetch_add(u64::from(changed), SeqCst);
        Ok(())
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        self.device.write(requests)
    }

    fn flush(&self) -> Result<(), DeviceError> {
        self.device.flush()
    }
}

type Shared = Arc<Store<Arc<Interrupted>>>;

/// A store of a few keys that stay, and of others that do not.
fn interrupted() -> (Arc<Interrupted>, Shared) {
    let device = MemoryDevice::new(BLOCK, (256 << 10) / BLOCK);
    let device = Interrupted { device, next: Mutex::new(None), raced: AtomicU64::new(0) };
    let device = Arc::new(device);
    Store::create(&*device, CreateOptions::new(1).block_size(BLOCK)).unwrap();
    let store = Store::open(Arc::clone(&device), TestClock::new(1), options(2)).unwrap();
    for number in 0..40 {
        let key = key(&format!("stays/{number}"));
        store.set(&key, &value(&key, number)).unwrap();
    }
    churn(&store, 0, 400);
    (device, Arc::new(store))
}

/// Sets other keys, so often that every segment is used again.
fn churn<D: BlockDevice>(store: &Store<D>, seed: u64, times: usize) {
    let mut random = Random::new(seed);
    for number in 0..times as u64 {
        let key = key(&format!("{}/goes/{}", random.below(3), random.below(40)));
        store.set(&key, &value(&key, number)).unwrap();
    }
}

/// Calls `read` again and again, with a whole life of the device in its first read, then in its second
/// one, and so on; in the end there is none left. What it tells must be the same always.
fn always_tells<R: PartialEq + std::fmt::Debug>(read: impl Fn(&Shared) -> Result<R, Error>) {
    let (device, store) = interrupted();
    let expected = read(&store).unwrap();
    for reads in 0.. {
        let writer = Arc::clone(&store);
        device.at(reads, move || churn(&writer, reads, 1500));
        assert_eq!(read(&store).unwrap(), expected, "a writer in read {reads}");
        if device.is_waiting() {
            break;
        }
    }
    let raced = device.raced.load(SeqCst);
    assert!(raced > 0, "nothing was used again");
    assert_eq!(store.verify().unwrap(), []);
}

#[test]
fn a_get_tells_the_value_though_node_and_record_move_while_they_are_read() {
    let get = |store: &Shared, number| store.get(&key(&format!("stays/{number}")));
    always_tells(|store| (0..40).map(|number| get(store, number)).collect::<Result<Vec<_>, _>>());
}

#[test]
fn lists_sizes_and_digests_are_the_same_though_nodes_move_while_they_are_read() {
    always_tells(|store| store.list(&key("stays")));
    always_tells(|store| store.size(&key("stays")));
    always_tells(|store| store.exists(&key("stays/1/below")));
    always_tells(|store| store.digest(&key("stays")));
}

#[test]
fn a_scan_tells_all_that_stays_though_everything_moves_while_it_is_read() {
    always_tells(|store| {
        let (mut rows, mut scan) = (Vec::new(), store.scan(key("stays")..));
        while let Some(row) = scan.next()? {
            assert_eq!(row.value, value(row.key, number_of(row.key, row.value)));
            rows.push((row.key.clone(), row.value.to_vec(), row.last_modified));
        }
        Ok(rows)
    });
}

/// Rows whose value has been replaced, or is gone, since the scan has seen them.
#[test]
fn a_scan_takes_the_newer_value_or_leaves_the_row_out_if_its_record_has_gone() {
    let (device, store) = interrupted();
    let keys: Vec<Key> = (0..5).map(|number| key(&format!("r/{number}"))).collect();
    let set = |key: &Key, byte: u8| store.set(key, &[byte; 300]).unwrap();
    for key in &keys {
        set(key, 1);
    }
    let mut scan = store.scan(key("r")..key("s"));
    assert_eq!(scan.next().unwrap().unwrap().key, &keys[0]);
    set(&keys[1], 2);
    store.set(&keys[2], b"short").unwrap();
    store.remove(&keys[3]).unwrap();
    churn(&store, 1, 1500);
    let mut found = Vec::new();
    while let Some(row) = scan.next().unwrap() {
        found.push((row.key.clone(), row.value.to_vec()));
    }
    let expected =
        [(&keys[1], vec![2; 300]), (&keys[2], b"short".to_vec()), (&keys[4], vec![1; 300])];
    assert_eq!(found, expected.map(|(key, value)| (key.clone(), value)));
    drop(device);
}

/// A dictionary that always holds something is never told to be gone, though each leaf of it is empty
/// when it is looked at.
#[test]
fn what_is_passed_as_removed_is_looked_at_again_if_it_has_come_back() {
    let (device, store) = interrupted();
    let at = |number: u64| key(&format!("d/{number:03}"));
    (0..60).for_each(|number| store.set(&at(number), b"once").unwrap());
    churn(&store, 1, 200);
    drop(store);
    // From here on all changes stay in memory.
    let options = options(3).delta_entries(1000).tail_bytes(1 << 20);
    let store = Store::open(Arc::clone(&device), TestClock::new(1), options).unwrap();
    let store = Arc::new(store);
    (0..59).for_each(|number| store.remove(&at(number)).unwrap());
    for reads in 0.. {
        let writer = Arc::clone(&store);
        device.at(reads, move || {
            writer.set(&at(0), b"back").unwrap();
            writer.remove(&at(59)).unwrap();
        });
        assert!(store.exists(&key("d")).unwrap().is_some(), "a writer in read {reads}");
        if device.is_waiting() {
            assert!(reads > 6, "more than a leaf was read: {reads}");
            break;
        }
        store.set(&at(59), b"again").unwrap();
        store.remove(&at(0)).unwrap();
    }
}

/// Damage stays damage: it is told, and the search for it ends.
#[test]
fn a_record_that_is_damaged_is_told_so() {
    let (device, store) = interrupted();
    let at = key("damaged");
    store.set(&at, &[7; 400]).unwrap();
    let blocks = device.geometry().block_count;
    let mut buf = [0; BLOCK as usize];
    let holds = |block: &u64| {
        device.device.read(&mut [ReadRequest { block: *block, buf: &mut buf }]).unwrap();
        buf.windows(300).any(|bytes| bytes == [7; 300])
    };
    let block = (0..blocks).find(holds).unwrap();
    device.write(&[WriteRequest { block, bufs: &[&[0; BLOCK as usize]] }]).unwrap();
    assert!(matches!(store.get(&at), Err(Error::Corrupt(_))));
    assert!(matches!(store.digest(&at), Err(Error::Corrupt(_))));
    let mut scan = store.scan(at..);
    assert!(matches!(scan.next(), Err(Error::Corrupt(_))));
}

const KEYS: usize = 150;
const SETS: u64 = 30_000;

/// Keys of one writer, with the numbers of their sets: begun and done.
struct Written {
    keys: Vec<Key>,
    begun: Vec<AtomicU64>,
    done: Vec<AtomicU64>,
    over: AtomicBool,
}

impl Written {
    fn write(&self, store: &Store<MemoryDevice>) {
        let mut random = Random::new(1);
        for number in 0..SETS {
            let index = usize::try_from(number).unwrap();
            let index = if index < KEYS { index } else { random.below(KEYS) };
            self.begun[index].store(number + 1, SeqCst);
            store.set(&self.keys[index], &value(&self.keys[index], number + 1)).unwrap();
            self.done[index].store(number + 1, SeqCst);
            if number.is_multiple_of(50) {
                let dictionary = key(&format!("z{}", random.below(3)));
                store.remove(&dictionary).unwrap();
                store.set(&dictionary.join(b"x").unwrap(), b"z").unwrap();
            }
        }
        self.over.store(true, SeqCst);
    }

    /// What `read` finds was there at some moment meanwhile.
    fn check(&self, index: usize, least: u64, found: &[u8]) {
        let number = number_of(&self.keys[index], found);
        let most = self.begun[index].load(SeqCst);
        assert!((least..=most).contains(&number), "{}: {least} {number} {most}", self.keys[index]);
    }

    fn done(&self) -> Vec<u64> {
        self.done.iter().map(|done| done.load(SeqCst)).collect()
    }

    fn get(&self, store: &Store<MemoryDevice>) {
        let mut random = Random::new(2);
        while !self.over.load(SeqCst) {
            let index = random.below(KEYS);
            let least = self.done[index].load(SeqCst);
            match store.get(&self.keys[index]) {
                Ok(found) => self.check(index, least, &found),
                Err(Error::NotFound(_)) => assert_eq!(least, 0, "{}", self.keys[index]),
                Err(error) => panic!("{}: {error}", self.keys[index]),
            }
        }
    }

    fn scan_and_list(&self, store: &Store<MemoryDevice>) {
        while !self.over.load(SeqCst) {
            let least = self.done();
            let (mut missing, mut scan) = (least.clone(), store.scan(key("k")..key("l")));
            while let Some(row) = scan.next().unwrap() {
                let index = self.keys.binary_search(row.key).unwrap();
                self.check(index, least[index], row.value);
                missing[index] = 0;
            }
            assert_eq!(missing.iter().sum::<u64>(), 0, "each is there");
            let all = least.iter().all(|number| *number > 0);
            let listed = if all { store.list(&key("k")).unwrap().len() } else { KEYS };
            assert_eq!(listed, KEYS);
        }
    }
}

/// On a device that has room for little more than what it holds, so that it is cleaned all the time.
#[test]
fn threads_read_what_was_written_while_a_writer_uses_the_whole_device_again_and_again() {
    let device = MemoryDevice::new(BLOCK, (256 << 10) / BLOCK);
    Store::create(&device, CreateOptions::new(1).block_size(BLOCK)).unwrap();
    let store = Store::open(device, TestClock::new(1), options(2).cache_bytes(16 << 10)).unwrap();
    let mut keys: Vec<Key> = (0..KEYS).map(|number| key(&format!("k/{number:04}"))).collect();
    keys.sort();
    let numbers = || (0..KEYS).map(|_| AtomicU64::new(0)).collect();
    let written = Written { keys, begun: numbers(), done: numbers(), over: AtomicBool::new(false) };
    thread::scope(|scope| {
        scope.spawn(|| written.get(&store));
        scope.spawn(|| written.scan_and_list(&store));
        written.write(&store);
    });
    assert_eq!(store.verify().unwrap(), []);
}
