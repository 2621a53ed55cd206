//! `bench`.

use super::plot::{self, Curve};
use crate::cli;
use crate::failure::Failure;
use crate::open::{Opened, open_store, seed};
use crate::out::Out;
use crate::progress::Progress;
use nerite::{CreateOptions, Error, Key, KvRead, KvWrite, Store};
use nerite_hostfs::FileDevice;
use serde::Serialize;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// What is measured, one after the other, on the same values.
#[derive(Clone, Copy)]
enum Work {
    /// New keys in order, each durable before the next one.
    Write,
    /// All of them in order.
    Read,
    /// As many of them at random.
    RandomRead,
    /// As many again, every other one written anew.
    Mixed,
}

const WORKS: [(Work, &str); 4] = [
    (Work::Write, "write"),
    (Work::Read, "read"),
    (Work::RandomRead, "random-read"),
    (Work::Mixed, "mixed"),
];

/// How often it is looked whether the threads are done. That is no part of what is measured.
const POLL: Duration = Duration::from_millis(20);

/// Measures a store on a new file, which has no name any more while it is used.
pub(crate) fn bench(args: &cli::Bench) -> Result<(), Failure> {
    let path = &args.file;
    let device = FileDevice::create(path, device_len(args)).map_err(Failure::open(path))?;
    fs::remove_file(path).map_err(Failure::input(path.display()))?;
    let options = CreateOptions::new(seed()?);
    Store::create(&device, options).map_err(Failure::store(path))?;
    let store = open_store(path, device, false)?;
    let at = Opened { image: path, store: &store };
    let mut out = Out::stdout();
    if !args.json {
        out.line(HEAD)?;
    }
    let mut curves = Vec::new();
    for (work, name) in WORKS {
        let (measured, latencies) = measure(&at, args, work, name)?;
        out.line(if args.json { measured.json() } else { measured.row() })?;
        out.flush()?;
        let micros = latencies.iter().map(|latency| latency.as_secs_f64() * 1e6).collect();
        curves.push(Curve { name, micros });
    }
    if let Some(picture) = &args.svg {
        let title =
            format!("{} values of {} bytes, threads: {}", args.count, args.size, args.threads);
        let mut picture = Out::file(picture, path)?;
        picture.bytes(plot::drawn(&title, &curves).as_bytes())?;
        picture.flush()?;
    }
    store.close().map_err(Failure::store(path)).map(drop)
}

/// Twice what the values take when each is a commit of its own, and some more.
fn device_len(args: &cli::Bench) -> u64 {
    let commit = args.size.saturating_add(512).checked_next_multiple_of(4096).unwrap_or(u64::MAX);
    commit.saturating_mul(args.count).saturating_mul(2).saturating_add(64 << 20)
}

fn measure(
    at: &Opened<'_>,
    args: &cli::Bench,
    work: Work,
    name: &'static str,
) -> Result<(Measured, Vec<Duration>), Failure> {
    let done = AtomicU64::new(0);
    let start = Instant::now();
    let told = thread::scope(|scope| {
        let threads: Vec<_> = (0..args.threads)
            .map(|thread| {
                let done = &done;
                scope.spawn(move || Worker { store: at.store, args, thread, done }.run(work))
            })
            .collect();
        let mut progress = Progress::new();
        while threads.iter().any(|thread| !thread.is_finished()) {
            thread::sleep(POLL);
            let done = done.load(Ordering::Relaxed);
            progress.tell(|| format!("{name}: {done} of {}", args.count));
        }
        threads.into_iter().map(thread::ScopedJoinHandle::join).collect::<Vec<_>>()
    });
    let (mut latencies, mut end) = (Vec::new(), start);
    for told in told {
        // A panic has been printed already.
        let told = told.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let (of_thread, ended) = told.map_err(|error| at.failed(error))?;
        latencies.extend(of_thread);
        end = end.max(ended);
    }
    let seconds = end.duration_since(start).as_secs_f64();
    latencies.sort_unstable();
    Ok((Measured::new(args, name, seconds, &latencies), latencies))
}

struct Worker<'a> {
    store: &'a Store<FileDevice>,
    args: &'a cli::Bench,
    thread: u64,
    done: &'a AtomicU64,
}

impl Worker<'_> {
    /// Does this thread's share, and tells how long each call took, and when it was done.
    fn run(&self, work: Work) -> Result<(Vec<Duration>, Instant), Error> {
        let mut random = Random(self.args.seed ^ (self.thread << 32));
        let len = usize::try_from(self.args.size).unwrap_or(usize::MAX);
        let mut latencies = Vec::new();
        for own in (self.thread..self.args.count).step_by(self.threads()) {
            let writes = matches!(work, Work::Write) || matches!(work, Work::Mixed) && own % 2 == 0;
            let number = match work {
                Work::Write | Work::Read => own,
                Work::RandomRead | Work::Mixed => random.next() % self.args.count,
            };
            let key = Key::new(format!("{number:020}"))?;
            let value = if writes { random.bytes(len) } else { Vec::new() };
            let start = Instant::now();
            if writes {
                self.store.set(&key, &value)?;
            } else {
                self.store.get(&key)?;
            }
            latencies.push(start.elapsed());
            self.done.fetch_add(1, Ordering::Relaxed);
        }
        Ok((latencies, Instant::now()))
    }

    fn threads(&self) -> usize {
        usize::try_from(self.args.threads).unwrap_or(usize::MAX)
    }
}

/// `SplitMix64`: the same numbers for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            bytes.extend_from_slice(&self.next().to_le_bytes());
        }
        bytes.truncate(len);
        bytes
    }
}

const HEAD: &str = "\
work              count    seconds   calls/s    MiB/s   p50 us   p99 us   max us";

/// What came of it. Times are of single calls.
#[derive(Serialize)]
struct Measured {
    work: &'static str,
    count: u64,
    size: u64,
    threads: u64,
    seed: u64,
    seconds: f64,
    calls_per_second: f64,
    mib_per_second: f64,
    p50_us: f64,
    p99_us: f64,
    max_us: f64,
}

impl Measured {
    /// `latencies` are sorted.
    fn new(args: &cli::Bench, work: &'static str, seconds: f64, latencies: &[Duration]) -> Self {
        let at = |percent: usize| {
            let index = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
            latencies.get(index).map_or(0.0, |latency| latency.as_secs_f64() * 1e6)
        };
        #[expect(clippy::cast_precision_loss, reason = "figures to be looked at")]
        let (count, size) = (args.count as f64, args.size as f64);
        // Not even an idle clock makes it infinite.
        let per_second = count / seconds.max(1e-9);
        Self {
            work,
            count: args.count,
            size: args.size,
            threads: args.threads,
            seed: args.seed,
            seconds,
            calls_per_second: per_second,
            mib_per_second: per_second * size / f64::from(1 << 20),
            p50_us: at(50),
            p99_us: at(99),
            max_us: at(100),
        }
    }

    fn json(&self) -> String {
        // Numbers and plain names: nothing that can't be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn row(&self) -> String {
        format!(
            "{:<12} {:>10} {:>10.3} {:>9.0} {:>8.2} {:>8.0} {:>8.0} {:>8.0}",
            self.work,
            self.count,
            self.seconds,
            self.calls_per_second,
            self.mib_per_second,
            self.p50_us,
            self.p99_us,
            self.max_us,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_calls_that_were_made() {
        let args = cli::Bench {
            file: "f".into(),
            count: 4,
            size: 1 << 20,
            threads: 1,
            seed: 1,
            json: false,
            svg: None,
        };
        let latencies = [1, 2, 3, 9].map(Duration::from_micros);
        let measured = Measured::new(&args, "write", 2.0, &latencies);
        let row: Vec<_> = measured.row().split_ascii_whitespace().map(str::to_owned).collect();
        assert_eq!(row, ["write", "4", "2.000", "2", "2.00", "2", "9", "9"]);
        assert!(measured.row().len() <= 80 && HEAD.len() <= 80, "{}", measured.row());
        assert!(measured.json().starts_with("{\"work\":\"write\",\"count\":4,"));
    }
}
