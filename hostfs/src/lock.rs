//! Locks that a running QEMU sees, and whose locks are seen here.
//!
//! QEMU speaks by *open file description* locks (`F_OFD_SETLK`) on single bytes of the image
//! (`block/file-posix.c` in its sources). It only ever takes read locks, which never exclude each
//! other: a lock on byte 100 + n says "I use permission n", one on byte 200 + n "I don't share
//! permission n with others". Having taken its own, it asks (`F_OFD_GETLK`) whether a write lock
//! *could* be had on the bytes that would speak against it, and gives up if not. `flock` and
//! POSIX locks are not seen by it.
//!
//! Permission 0 is to read and 1 is to write; there are others, which nobody uses without one of
//! these two. R: a read lock, W: a write lock, ?: asked for.
//!
//! | byte | says | guest | read-only guest | reader here | writer here |
//! | --- | --- | --- | --- | --- | --- |
//! | 100 | I read | R | R | R | W |
//! | 101 | I write | R | ? | ? | W |
//! | 200 | nobody else may read | ? | ? | ? | W |
//! | 201 | nobody else may write | R ? | R | R | W |
//! | others of 100 to 300 | | | | | W |
//!
//! So a writer here excludes all others: its one write lock collides with whatever they hold.
//! Readers here and read-only guests get on with each other, and exclude every guest that writes.
//! The locks of the guest are those of QEMU 7.2 and 10 for virtio-blk on a raw image.
//!
//! The kernel drops these locks with the last descriptor, however the process ends: there is no
//! lock file that could be left behind. A process that another thread is starting has a descriptor
//! too, until it runs its program: so they are given back besides when a device is dropped. They
//! guard nothing on network file systems that don't pass locks on, and nothing against a QEMU that
//! was told `locking=off`.

use crate::error::OpenError;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::File;
use std::ops::RangeInclusive;

/// What an open file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Only reading, beside other readers.
    Read,
    /// Reading and writing, alone.
    Write,
}

const READS: libc::off_t = 100;
const WRITES: libc::off_t = 101;
const READS_ALONE: libc::off_t = 200;
const WRITES_ALONE: libc::off_t = 201;
/// All permissions that QEMU has or may come to have.
const EVERYTHING: RangeInclusive<libc::off_t> = 100..=300;

/// Takes the locks for this access. They last until [`unlock`], or until `file`, and all that was
/// duplicated from it, is closed.
///
/// # Errors
/// [`OpenError::InUse`], at once, if another holder excludes it; [`OpenError::Io`] where the file
/// system knows no locks.
pub(crate) fn lock(file: &File, access: Access) -> Result<(), OpenError> {
    match access {
        Access::Write => take(file, libc::F_WRLCK, EVERYTHING),
        Access::Read => {
            // First the locks, then the questions: of two that start at once, at least one sees
            // the other.
            take(file, libc::F_RDLCK, READS..=READS)?;
            take(file, libc::F_RDLCK, WRITES_ALONE..=WRITES_ALONE)?;
            if is_held(file, WRITES)? || is_held(file, READS_ALONE)? {
                return Err(OpenError::InUse);
            }
            Ok(())
        }
    }
}

/// Gives all locks back, also those that duplicates of the descriptor hold.
pub(crate) fn unlock(file: &File) {
    // If it fails they go when the file is closed.
    let _ = take(file, libc::F_UNLCK, EVERYTHING);
}

fn take(
    file: &File,
    kind: libc::c_int,
    bytes: RangeInclusive<libc::off_t>,
) -> Result<(), OpenError> {
    match fcntl(file, FcntlArg::F_OFD_SETLK(&range(kind, bytes))) {
        Ok(_) => Ok(()),
        // POSIX allows either.
        Err(Errno::EAGAIN | Errno::EACCES) => Err(OpenError::InUse),
        Err(errno) => Err(OpenError::during("lock")(errno)),
    }
}

/// Whether another open file holds any lock on this byte. Locks of `file` itself don't count.
fn is_held(file: &File, byte: libc::off_t) -> Result<bool, OpenError> {
    let mut answer = range(libc::F_WRLCK, byte..=byte);
    fcntl(file, FcntlArg::F_OFD_GETLK(&mut answer)).map_err(OpenError::during("lock"))?;
    Ok(libc::c_int::from(answer.l_type) != libc::F_UNLCK)
}

fn range(kind: libc::c_int, bytes: RangeInclusive<libc::off_t>) -> libc::flock {
    libc::flock {
        // The kinds are 0 to 2; C declares them wider than the field that they are for.
        #[expect(clippy::cast_possible_truncation, reason = "0 to 2")]
        l_type: kind as libc::c_short,
        #[expect(clippy::cast_possible_truncation, reason = "0")]
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: *bytes.start(),
        l_len: bytes.end() - bytes.start() + 1,
        // Must be 0 for locks of this kind.
        l_pid: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::NamedTempFile;

    /// An open file description of its own: locks are held between these, not between processes.
    fn again(file: &NamedTempFile) -> File {
        File::options().read(true).write(true).open(file.path()).unwrap()
    }

    fn is_refused(result: Result<(), OpenError>) -> bool {
        match result {
            Ok(()) => false,
            Err(OpenError::InUse) => true,
            Err(error) => panic!("{error}: {:?}", std::error::Error::source(&error)),
        }
    }

    #[test]
    fn a_writer_excludes_all_others_until_it_is_closed() {
        let path = NamedTempFile::new().unwrap();
        let writer = again(&path);
        lock(&writer, Access::Write).unwrap();
        assert!(is_refused(lock(&again(&path), Access::Write)));
        assert!(is_refused(lock(&again(&path), Access::Read)));
        drop(writer);
        lock(&again(&path), Access::Read).unwrap();
        lock(&again(&path), Access::Write).unwrap();
    }

    #[test]
    fn readers_coexist_and_exclude_writers() {
        let path = NamedTempFile::new().unwrap();
        let readers = [again(&path), again(&path)];
        for reader in &readers {
            lock(reader, Access::Read).unwrap();
        }
        assert!(is_refused(lock(&again(&path), Access::Write)));
        drop(readers);
        lock(&again(&path), Access::Write).unwrap();
    }

    #[test]
    fn a_guest_that_writes_excludes_readers_and_writers() {
        // As measured (`/proc/locks`) with and without `share-rw=on`.
        for guest_bytes in [&[READS..=WRITES, WRITES_ALONE..=WRITES_ALONE][..], &[READS..=WRITES]] {
            let path = NamedTempFile::new().unwrap();
            let guest = again(&path);
            for bytes in guest_bytes {
                take(&guest, libc::F_RDLCK, bytes.clone()).unwrap();
            }
            assert!(is_refused(lock(&again(&path), Access::Read)));
            assert!(is_refused(lock(&again(&path), Access::Write)));
        }
    }

    #[test]
    fn a_read_only_guest_excludes_writers_only() {
        let path = NamedTempFile::new().unwrap();
        let guest = again(&path);
        take(&guest, libc::F_RDLCK, READS..=READS).unwrap();
        take(&guest, libc::F_RDLCK, WRITES_ALONE..=WRITES_ALONE).unwrap();
        assert!(is_refused(lock(&again(&path), Access::Write)));
        lock(&again(&path), Access::Read).unwrap();
    }

    #[test]
    fn a_guest_finds_a_reader_on_the_byte_that_it_asks_for() {
        let path = NamedTempFile::new().unwrap();
        let reader = again(&path);
        lock(&reader, Access::Read).unwrap();
        let guest = again(&path);
        assert!(is_held(&guest, WRITES_ALONE).unwrap());
        assert!(!is_held(&guest, WRITES).unwrap());
        assert!(!is_held(&guest, READS_ALONE).unwrap());
    }
}
