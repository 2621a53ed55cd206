//! Group commit: sets and removals that come while another writer is at work share one commit, with
//! one write and one flush. Each gets its own answer, as if it had come alone, in the order of the
//! queue.

use super::Store;
use super::batch::Staged;
use super::queue::{Entered, Request, Ticket, Told};
use crate::device::{BlockDevice, DeviceError};
use crate::error::Error;
use crate::log::Log;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl<D: BlockDevice> Store<D> {
    /// Does `alone` if nobody else writes; otherwise whoever leads next does what `request` tells.
    pub(super) fn in_turn(
        &self,
        request: impl FnOnce() -> Request,
        alone: impl FnOnce(&mut Log) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let ticket = match self.queue.enter(request) {
            Entered::Turn(_turn) => return alone(&mut *self.writer()?),
            Entered::Queued(ticket) => ticket,
        };
        loop {
            match ticket.told.wait() {
                Told::Done(result) => return result,
                Told::Lead => self.lead(),
            }
        }
    }

    /// Commits for those that have queued, and tells them.
    fn lead(&self) {
        let turn = self.queue.turn();
        let group = turn.take();
        let results = match self.writer() {
            Ok(mut log) => self.commit_all(&mut log, &group.0),
            Err(error) => group.0.iter().map(|_| Err(again(&error))).collect(),
        };
        for (ticket, result) in group.0.iter().zip(results) {
            ticket.told.tell(Told::Done(result));
        }
    }

    fn commit_all(&self, log: &mut Log, tickets: &[Arc<Ticket>]) -> Vec<Result<(), Error>> {
        let mut staged = Staged::new(self);
        let staging = tickets.iter().map(|ticket| match &ticket.request {
            Request::Set { key, value } => staged.set(log, key, (value, None)),
            Request::Remove { key } => staged.remove(key),
        });
        let results: Vec<_> = staging.collect();
        let Err(error) = self.commit_staged(log, &staged) else { return results };
        // What they were told holds only if the others are done.
        match error {
            // Some of them may fit.
            Error::NoSpace { .. } | Error::TooLarge { .. } => {
                tickets.iter().map(|ticket| self.do_one(log, &ticket.request)).collect()
            }
            _ => tickets.iter().map(|_| Err(again(&error))).collect(),
        }
    }

    fn do_one(&self, log: &mut Log, request: &Request) -> Result<(), Error> {
        match request {
            Request::Set { key, value } => self.set_now(log, key, value),
            Request::Remove { key } => self.remove_now(log, key),
        }
    }
}

/// The same for another one, as far as it concerns all of them.
fn again(error: &Error) -> Error {
    match error {
        Error::Device(error) => DeviceError::new(error.kind(), error.block()).into(),
        Error::Corrupt(corruption) => (*corruption).into(),
        Error::ReadOnly => Error::ReadOnly,
        Error::Stolen => Error::Stolen,
        _ => Error::Poisoned,
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::clock::Timestamp;
    use crate::device::{DeviceErrorKind, Geometry, ReadRequest, WriteRequest};
    use crate::key::Key;
    use crate::memory::MemoryDevice;
    use crate::store::{CreateOptions, OpenOptions};
    use crate::traits::{KvRead, KvWrite};
    use alloc::boxed::Box;
    use alloc::{format, vec};
    use core::sync::atomic::{AtomicI64, AtomicU64, Ordering::SeqCst};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Mutex, mpsc};
    use std::thread;

    type Hook = Box<dyn FnOnce() -> Result<(), DeviceError> + Send>;

    /// A device that counts flushes, and does something else in the next one. After so many reads,
    /// all others fail.
    struct Hooked {
        device: MemoryDevice,
        reads: AtomicI64,
        flushes: AtomicU64,
        hook: Mutex<Option<Hook>>,
    }

    impl BlockDevice for Hooked {
        fn geometry(&self) -> Geometry {
            self.device.geometry()
        }
        fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
            if self.reads.fetch_sub(1, SeqCst) <= 0 {
                return Err(DeviceError::new(DeviceErrorKind::Io, None));
            }
            self.device.read(requests)
        }
        fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
            self.device.write(requests)
        }
        fn flush(&self) -> Result<(), DeviceError> {
            self.flushes.fetch_add(1, SeqCst);
            let hook = self.hook.lock().unwrap().take();
            hook.map_or(Ok(()), |hook| hook())
        }
        fn discard(&self, block: u64, count: u64) -> Result<(), DeviceError> {
            self.device.discard(block, count)
        }
    }

    type Shared = Arc<Store<Arc<Hooked>>>;

    fn store() -> (Arc<Hooked>, Shared) {
        let (flushes, hook) = (AtomicU64::new(0), Mutex::new(None));
        let (device, reads) = (MemoryDevice::new(512, 2048), AtomicI64::new(i64::MAX));
        let device = Arc::new(Hooked { device, reads, flushes, hook });
        Store::create(&device, CreateOptions::new(1)).unwrap();
        let store = Store::open(Arc::clone(&device), || Timestamp(1), OpenOptions::new(2)).unwrap();
        (device, Arc::new(store))
    }

    /// A store with room for nothing large.
    fn full_store() -> (Arc<Hooked>, Shared) {
        let (device, store) = store();
        let mut count = 0;
        while store.set(&key(&format!("/fill/{count}")), &[7; 700]).is_ok() {
            count += 1;
        }
        store.remove(&key("/fill/1")).unwrap();
        store.set(&key("/first"), b"x").unwrap();
        (device, store)
    }

    fn key(path: &str) -> Key {
        path.parse().unwrap()
    }

    /// Lets all of `calls` queue up, each from a thread of its own, while another call is in its
    /// flush, which then ends with `flushed`. Tells what they are told, and the flushes of all.
    fn queue_up(
        (device, store): (&Arc<Hooked>, &Shared),
        calls: usize,
        call: impl Fn(usize) -> Result<(), Error> + Sync,
        then: Hook,
    ) -> (Vec<Result<(), Error>>, u64) {
        let (begun, has_begun) = mpsc::channel();
        let waiting = Arc::clone(store);
        *device.hook.lock().unwrap() = Some(Box::new(move || {
            begun.send(()).unwrap();
            while waiting.queue.len() < calls {
                thread::yield_now();
            }
            then()
        }));
        let before = device.flushes.load(SeqCst);
        let told = thread::scope(|scope| {
            let first = scope.spawn(|| store.set(&key("/first"), b"x"));
            has_begun.recv().unwrap();
            let call = &call;
            let threads: Vec<_> = (0..calls).map(|i| scope.spawn(move || call(i))).collect();
            let told = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            let _ = first.join().unwrap();
            told
        });
        (told, device.flushes.load(SeqCst) - before)
    }

    #[test]
    fn writers_that_queue_share_one_flush_and_all_is_there() {
        let (device, store) = store();
        let set = |i| store.set(&key(&format!("/k/{i}")), &[7; 100]);
        let (told, flushes) = queue_up((&device, &store), 20, set, Box::new(|| Ok(())));
        assert!(told.iter().all(Result::is_ok));
        assert_eq!(flushes, 2, "one of the first, one of all others");
        assert_eq!(store.list(&key("/k")).unwrap().len(), 20);
        assert_eq!(store.verify().unwrap(), []);
        let (device, store) = (device, drop(store));
        let () = store;
        let store = Store::open(device, || Timestamp(1), OpenOptions::new(3)).unwrap();
        assert_eq!(store.stat().keys, 21);
    }

    #[test]
    fn each_is_told_its_own_answer() {
        let (device, store) = store();
        store.set(&key("/d/x"), b"1").unwrap();
        let call = |i| match i {
            0 => store.set(&key("/d"), b"2"),
            1 => store.set(&key("/d/x/y"), b"3"),
            2 => store.remove(&key("/nothing")),
            3 => store.set(&key("/long"), &vec![0; (1 << 20) - 100]),
            _ => store.set(&key("/same"), &[4]),
        };
        let (told, flushes) = queue_up((&device, &store), 8, call, Box::new(|| Ok(())));
        assert!(matches!(&told[0], Err(Error::ValueExpected(at)) if *at == key("/d")));
        assert!(matches!(&told[1], Err(Error::DictionaryExpected(at)) if *at == key("/d/x")));
        assert!(told[2].is_ok() && told[4..].iter().all(Result::is_ok));
        assert!(matches!(told[3], Err(Error::TooLarge { .. })));
        assert_eq!((flushes, store.stat().keys), (2, 3));
    }

    #[test]
    fn a_failed_flush_fails_all_that_come_after_it() {
        let (device, store) = store();
        let set = |i| store.set(&key(&format!("/{i}")), &[7; 100]);
        let failed = || Err(DeviceError::new(DeviceErrorKind::Io, None));
        let (told, flushes) = queue_up((&device, &store), 5, set, Box::new(failed));
        assert!(told.iter().all(|told| matches!(told, Err(Error::Poisoned))), "{told:?}");
        assert_eq!((flushes, store.stat().keys), (1, 0));
    }

    #[test]
    fn all_of_a_group_whose_flush_fails_are_told_so() {
        let (device, store) = store();
        let set = |i| store.set(&key(&format!("/{i}")), &[7; 100]);
        let again = Arc::clone(&device);
        let then = move || {
            let failed = || Err(DeviceError::new(DeviceErrorKind::Io, None));
            *again.hook.lock().unwrap() = Some(Box::new(failed));
            Ok(())
        };
        let (told, flushes) = queue_up((&device, &store), 5, set, Box::new(then));
        assert!(told.iter().all(|told| matches!(told, Err(Error::Device(_)))), "{told:?}");
        assert_eq!((flushes, store.stat().keys), (2, 1));
        assert!(matches!(store.set(&key("/x"), b"x"), Err(Error::Poisoned)));
    }

    #[test]
    fn of_a_group_that_does_not_fit_those_are_done_that_do() {
        let (device, store) = full_store();
        let call = |i| match i {
            0 => store.set(&key("/fill/0"), &[8; 700]),
            1 => store.remove(&key("/fill/2")),
            _ => store.set(&key(&format!("/more/{i}")), &[7; 15_000]),
        };
        let (told, _) = queue_up((&device, &store), 10, call, Box::new(|| Ok(())));
        assert!(told[0].is_ok() && told[1].is_ok(), "{told:?}");
        let full = told.iter().filter(|told| matches!(told, Err(Error::NoSpace { .. }))).count();
        assert!(full > 0, "{told:?}");
        assert_eq!(store.get(&key("/fill/0")).unwrap(), [8; 700]);
        assert_eq!(store.verify().unwrap(), []);
    }

    /// Another one's removal of the dictionary failed in the middle, and the set went with it.
    #[test]
    fn a_removal_that_fails_takes_nothing_with_it_that_is_acknowledged() {
        let mut failed = 0;
        for reads in 0..8 {
            let (device, store) = store();
            for i in 0..300 {
                store.set(&key(&format!("/d/{i:04}")), &[7; 100]).unwrap();
            }
            store.clean().unwrap();
            drop(store);
            let options = OpenOptions::new(3).cache_bytes(0);
            let store = Store::open(Arc::clone(&device), || Timestamp(1), options).unwrap();
            let store = Arc::new(store);
            let (seen, failing) = (Arc::clone(&store), Arc::clone(&device));
            let call = |i| {
                // The set comes first.
                while seen.queue.len() < i {
                    thread::yield_now();
                }
                if i == 0 { store.set(&key("/d/new"), b"x") } else { store.remove(&key("/d")) }
            };
            let then = move || {
                failing.reads.store(reads, SeqCst);
                Ok(())
            };
            let (told, _) = queue_up((&device, &store), 2, call, Box::new(then));
            device.reads.store(i64::MAX, SeqCst);
            let is_there = store.exists(&key("/d/new")).unwrap().is_some();
            let removed = told[1].is_ok();
            failed += usize::from(told[0].is_ok() && !removed);
            assert_eq!(is_there, told[0].is_ok() && !removed, "{reads} reads: {told:?}");
        }
        assert!(failed > 0, "no removal failed alone");
    }

    /// The one does not fit, so the other has nothing to be refused for.
    #[test]
    fn nobody_is_refused_for_what_was_not_done() {
        let (device, store) = full_store();
        let seen = Arc::clone(&store);
        let call = |i| {
            while seen.queue.len() < i {
                thread::yield_now();
            }
            match i {
                0 => store.set(&key("/a"), &vec![7; 15_000]),
                _ => store.set(&key("/a/b"), b"x"),
            }
        };
        let (told, _) = queue_up((&device, &store), 2, call, Box::new(|| Ok(())));
        assert!(matches!(told[0], Err(Error::NoSpace { .. })), "{told:?}");
        assert!(!matches!(told[1], Err(Error::DictionaryExpected(_))), "{told:?}");
    }

    #[test]
    fn when_a_leader_panics_the_others_are_told_and_go_on() {
        let (device, store) = store();
        let set = |i| store.set(&key(&format!("/{i}")), &[7; 100]);
        let again = Arc::clone(&device);
        let then = move || {
            *again.hook.lock().unwrap() = Some(Box::new(|| panic!("as a device may")));
            Ok(())
        };
        let call = |i| catch_unwind(AssertUnwindSafe(|| set(i))).unwrap_or(Ok(()));
        let (told, _) = queue_up((&device, &store), 5, call, Box::new(then));
        let poisoned = told.iter().filter(|told| matches!(told, Err(Error::Poisoned))).count();
        assert_eq!(poisoned, 4, "{told:?}");
        assert!(matches!(store.set(&key("/x"), b"x"), Err(Error::Poisoned)));
    }
}
