//! A file, or a block device node, as a block device of the store.

use crate::error::OpenError;
use crate::lock::{Access, lock, unlock};
use nerite::device::check_request;
use nerite::{BlockDevice, DeviceError, DeviceErrorKind, Geometry, ReadRequest, WriteRequest};
use rustix::fs::{
    Advice, FallocateFlags, OFlags, fadvise, fallocate, fdatasync, ioctl_blkpbszget,
    ioctl_blksszget,
};
use rustix::io::{Errno, pwritev};
use std::fs::{self, File, FileType};
use std::io::{self, IoSlice, Seek, SeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// A raw image file, or a block device node, locked while it is open.
///
/// Locks are those of QEMU, so that a running guest and this process exclude each other: one
/// writer, or any number of readers. They end with the device, or with the process.
///
/// A file has blocks of 512 bytes, on a medium of blocks of 4,096; a block device has those that
/// the kernel tells, or the same where it tells none. What is left over after the last whole block
/// is ignored. The size is taken at open.
///
/// [`flush`](BlockDevice::flush) is `fdatasync`. [`discard`](BlockDevice::discard) punches holes,
/// and does nothing where the file system can't.
#[derive(Debug)]
pub struct FileDevice {
    file: File,
    geometry: Geometry,
}

/// What a file's blocks are taken to be: the smallest that disks have, on a medium of usual pages.
const FILE_BLOCK_SIZE: u32 = 512;
const FILE_PHYSICAL_BLOCK_SIZE: u32 = 4096;

impl Drop for FileDevice {
    fn drop(&mut self) {
        unlock(&self.file);
    }
}

impl FileDevice {
    /// Opens for reading and writing, alone.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if anybody else has it open, or mounted; [`OpenError::NotADevice`];
    /// [`OpenError::Io`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_for(path.as_ref(), Access::Write)
    }

    /// Opens for reading only, beside other readers. Nothing is ever written to it.
    ///
    /// # Errors
    /// [`OpenError::InUse`] if anybody has it open for writing; [`OpenError::NotADevice`];
    /// [`OpenError::Io`].
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        Self::open_for(path.as_ref(), Access::Read)
    }

    /// Makes a sparse file of `size` zeroed bytes and opens it for reading and writing. The file's
    /// name is durable on return. If this fails, there is no file.
    ///
    /// # Errors
    /// [`OpenError::Io`], also if there is something at `path` already, whatever it is.
    pub fn create(path: impl AsRef<Path>, size: u64) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)
            .map_err(OpenError::during("create"))?;
        let device =
            Self::with_size(file, size).and_then(|device| sync_directory_of(path).map(|()| device));
        if device.is_err() {
            // It was made a moment ago and is empty. Should this fail too, the first error tells
            // more than the second.
            let _ = fs::remove_file(path);
        }
        device
    }

    /// Makes a file longer, by zeros, and durably so. `size` is in bytes.
    ///
    /// # Errors
    /// [`OpenError::Io`], after which it may be longer or not; also if it has more bytes than that,
    /// or is a block device of another size.
    pub fn extend(&mut self, size: u64) -> Result<(), OpenError> {
        let metadata = self.file.metadata().map_err(OpenError::during("inspect"))?;
        let grows = metadata.is_file() && size >= metadata.len();
        if size != self.geometry.size() && !grows {
            return Err(OpenError::during("extend")(io::Error::from(io::ErrorKind::InvalidInput)));
        }
        if grows {
            self.file.set_len(size).map_err(OpenError::during("extend"))?;
            fdatasync(&self.file).map_err(OpenError::during("extend"))?;
            self.geometry.block_count = size / u64::from(self.geometry.block_size);
        }
        Ok(())
    }

    fn with_size(file: File, size: u64) -> Result<Self, OpenError> {
        lock(&file, Access::Write)?;
        file.set_len(size).map_err(OpenError::during("set the size of"))?;
        Self::from_locked(file, Access::Write)
    }

    fn open_for(path: &Path, access: Access) -> Result<Self, OpenError> {
        // NONBLOCK: a pipe without a writer is refused below, instead of being waited for. EXCL: the
        // kernel refuses to write a block device that is mounted; of files it means nothing.
        let flags = match access {
            Access::Read => OFlags::NONBLOCK,
            Access::Write => OFlags::NONBLOCK | OFlags::EXCL,
        };
        let file = File::options()
            .read(true)
            .write(access == Access::Write)
            .custom_flags(flags.bits().cast_signed())
            .open(path)
            .map_err(|source| match source.kind() {
                io::ErrorKind::IsADirectory => OpenError::NotADevice,
                io::ErrorKind::ResourceBusy => OpenError::InUse,
                _ => OpenError::Io { action: "open", source },
            })?;
        let kind = file.metadata().map_err(OpenError::during("inspect"))?.file_type();
        if !kind.is_file() && !kind.is_block_device() {
            return Err(OpenError::NotADevice);
        }
        lock(&file, access)?;
        Self::from_locked(file, access)
    }

    fn from_locked(file: File, access: Access) -> Result<Self, OpenError> {
        // After a failed flush the kernel marks the pages clean that it could not write: the cache
        // then shows bytes that the disk does not have, and replay would take them for durable.
        // Clean pages are dropped here, dirty ones stay; a store that writes flushes them before it
        // claims anything. File systems that live in memory ignore this, so it can't be an error.
        let _ = fadvise(&file, 0, None, Advice::DontNeed);
        let kind = file.metadata().map_err(OpenError::during("inspect"))?.file_type();
        let mut geometry = geometry_of(&file, kind).map_err(OpenError::during("inspect"))?;
        geometry.read_only = access == Access::Read;
        geometry.discard = access == Access::Write;
        Ok(Self { file, geometry })
    }

    fn offset(&self, block: u64, len: usize) -> Result<u64, DeviceError> {
        check_request(&self.geometry, block, len)?;
        // On the device, so it is less than the device's size.
        Ok(block * u64::from(self.geometry.block_size))
    }
}

impl BlockDevice for FileDevice {
    fn geometry(&self) -> Geometry {
        self.geometry
    }

    fn read(&self, requests: &mut [ReadRequest<'_>]) -> Result<(), DeviceError> {
        for request in requests {
            let offset = self.offset(request.block, request.buf.len())?;
            log::trace!("read {} bytes at {offset}", request.buf.len());
            // Goes on after interruptions and short reads. A file that was cut off meanwhile ends
            // too early, which is an error as well.
            self.file.read_exact_at(request.buf, offset).map_err(at(request.block))?;
        }
        Ok(())
    }

    fn write(&self, requests: &[WriteRequest<'_>]) -> Result<(), DeviceError> {
        if self.geometry.read_only {
            let block = requests.first().map(|request| request.block);
            return Err(DeviceError::new(DeviceErrorKind::ReadOnly, block));
        }
        for request in requests {
            let offset = self.offset(request.block, request.len())?;
            log::trace!("write {} bytes at {offset}", request.len());
            write_all_at(&self.file, request.bufs, offset).map_err(at(request.block))?;
        }
        Ok(())
    }

    fn flush(&self) -> Result<(), DeviceError> {
        log::debug!("flush");
        // Never tried again after an error, not even EINTR: the second call would answer Ok about
        // pages that the first one gave up.
        fdatasync(&self.file).map_err(|errno| device_error(None, errno.into()))
    }

    fn discard(&self, block: u64, count: u64) -> Result<(), DeviceError> {
        if self.geometry.read_only {
            return Err(DeviceError::new(DeviceErrorKind::ReadOnly, Some(block)));
        }
        let end = block.checked_add(count).filter(|&end| end <= self.geometry.block_count);
        if end.is_none() {
            return Err(DeviceError::new(DeviceErrorKind::OutOfRange, Some(block)));
        }
        if count == 0 {
            return Ok(());
        }
        let block_size = u64::from(self.geometry.block_size);
        log::debug!("discard {} bytes at {}", count * block_size, block * block_size);
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match rustix::io::retry_on_intr(|| {
            fallocate(&self.file, hole, block * block_size, count * block_size)
        }) {
            Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
            Err(errno) => Err(device_error(Some(block), errno.into())),
        }
    }
}

/// Writes the concatenation of `bufs`, in as few calls as the system allows.
fn write_all_at(file: &File, bufs: &[&[u8]], mut offset: u64) -> io::Result<()> {
    let mut slices: Vec<_> =
        bufs.iter().filter(|buf| !buf.is_empty()).map(|buf| IoSlice::new(buf)).collect();
    let mut rest = slices.as_mut_slice();
    while !rest.is_empty() {
        match pwritev(file, rest, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                offset += written as u64;
                IoSlice::advance_slices(&mut rest, written);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
    Ok(())
}

fn geometry_of(mut file: &File, kind: FileType) -> io::Result<Geometry> {
    let (size, block_size, physical_block_size) = if kind.is_block_device() {
        let block_size = ioctl_blksszget(file).unwrap_or(FILE_BLOCK_SIZE);
        let physical_block_size = ioctl_blkpbszget(file).unwrap_or(FILE_PHYSICAL_BLOCK_SIZE);
        // The metadata of a block device say 0; no read or write here depends on the position.
        (file.seek(SeekFrom::End(0))?, block_size, physical_block_size.max(block_size))
    } else {
        (file.metadata()?.len(), FILE_BLOCK_SIZE, FILE_PHYSICAL_BLOCK_SIZE)
    };
    let mut geometry = Geometry::new(block_size, size / u64::from(block_size));
    geometry.physical_block_size = physical_block_size;
    Ok(geometry)
}

/// Makes the name of a new file durable, as no flush of the file does.
fn sync_directory_of(path: &Path) -> Result<(), OpenError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(OpenError::during("flush the directory of"))
}

fn at(block: u64) -> impl FnOnce(io::Error) -> DeviceError {
    move |error| device_error(Some(block), error)
}

fn device_error(block: Option<u64>, error: io::Error) -> DeviceError {
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DeviceErrorKind::NoSpace,
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            DeviceErrorKind::ReadOnly
        }
        io::ErrorKind::TimedOut => DeviceErrorKind::Timeout,
        io::ErrorKind::Unsupported => DeviceErrorKind::Unsupported,
        _ if error.raw_os_error() == Some(Errno::BADF.raw_os_error()) => DeviceErrorKind::ReadOnly,
        _ => DeviceErrorKind::Io,
    };
    DeviceError::new(kind, block).with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error;
    use tempfile::{TempDir, tempdir};

    fn new_device(blocks: u64) -> (TempDir, FileDevice) {
        let dir = tempdir().unwrap();
        let device = FileDevice::create(dir.path().join("image"), blocks * 512).unwrap();
        (dir, device)
    }

    fn block(device: &FileDevice, block: u64) -> [u8; 512] {
        let mut buf = [0xaa; 512];
        device.read(&mut [ReadRequest { block, buf: &mut buf }]).unwrap();
        buf
    }

    #[test]
    fn a_new_file_is_zeroed_sparse_and_never_made_over_another() {
        let (dir, device) = new_device(16);
        let path = dir.path().join("image");
        assert_eq!(device.geometry().size(), 8192);
        assert_eq!(block(&device, 15), [0; 512]);
        device.write(&[WriteRequest { block: 0, bufs: &[&[7; 512]] }]).unwrap();
        drop(device);
        let error = FileDevice::create(&path, 512).unwrap_err();
        let OpenError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read(&path).unwrap().len(), 8192);
    }

    #[test]
    fn a_file_that_could_not_be_made_leaves_nothing_behind() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("image");
        // No file can be this large.
        FileDevice::create(&path, u64::MAX).unwrap_err();
        assert!(!path.exists());
    }

    #[test]
    fn gathers_what_it_writes_and_keeps_what_it_flushed() {
        let (dir, device) = new_device(8);
        let header = [1; 20];
        let payload = [2; 1000];
        let padding = [3; 4];
        device
            .write(&[
                WriteRequest { block: 2, bufs: &[&header, &[], &payload, &padding] },
                WriteRequest { block: 7, bufs: &[&[9; 512]] },
                WriteRequest { block: 0, bufs: &[] },
            ])
            .unwrap();
        device.flush().unwrap();
        drop(device);
        let device = FileDevice::open_read_only(dir.path().join("image")).unwrap();
        assert_eq!(block(&device, 1), [0; 512]);
        assert_eq!(block(&device, 2)[..21], [&header[..], &[2]].concat());
        assert_eq!(block(&device, 3)[507..], [2, 3, 3, 3, 3]);
        assert_eq!(block(&device, 4), [0; 512]);
        assert_eq!(block(&device, 7), [9; 512]);
    }

    #[test]
    fn writes_more_buffers_than_one_call_of_the_system_takes() {
        let (_dir, device) = new_device(8);
        let bytes: Vec<u8> = (0..4096_u32).map(|i| u8::try_from(i % 251).unwrap()).collect();
        let bufs: Vec<&[u8]> = bytes.chunks(2).collect();
        device.write(&[WriteRequest { block: 0, bufs: &bufs }]).unwrap();
        let mut buf = vec![0; 4096];
        device.read(&mut [ReadRequest { block: 0, buf: &mut buf }]).unwrap();
        assert!(buf == bytes);
    }

    #[test]
    fn refuses_what_is_not_whole_blocks_on_the_device() {
        let (_dir, device) = new_device(4);
        let mut buf = [0; 1024];
        let mut read = |block, len: usize| {
            device.read(&mut [ReadRequest { block, buf: &mut buf[..len] }]).unwrap_err().kind()
        };
        assert_eq!(read(0, 100), DeviceErrorKind::Misaligned);
        assert_eq!(read(3, 1024), DeviceErrorKind::OutOfRange);
        assert_eq!(read(u64::MAX, 512), DeviceErrorKind::OutOfRange);
        let beyond = [WriteRequest { block: 4, bufs: &[&[0; 512]] }];
        assert_eq!(device.write(&beyond).unwrap_err().kind(), DeviceErrorKind::OutOfRange);
        assert_eq!(device.discard(3, 2).unwrap_err().kind(), DeviceErrorKind::OutOfRange);
        assert_eq!(device.discard(u64::MAX, 2).unwrap_err().kind(), DeviceErrorKind::OutOfRange);
    }

    #[test]
    fn a_read_only_device_says_so_and_is_not_written() {
        let (dir, device) = new_device(4);
        drop(device);
        let device = FileDevice::open_read_only(dir.path().join("image")).unwrap();
        assert!(device.geometry().read_only);
        let request = [WriteRequest { block: 1, bufs: &[&[7; 512]] }];
        assert_eq!(device.write(&request).unwrap_err().kind(), DeviceErrorKind::ReadOnly);
        assert_eq!(device.discard(1, 1).unwrap_err().kind(), DeviceErrorKind::ReadOnly);
        assert_eq!(block(&device, 1), [0; 512]);
    }

    #[test]
    fn its_locks_go_with_it_though_a_process_that_is_being_started_has_the_file_too() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("image");
        let device = FileDevice::create(&path, 64 << 10).unwrap();
        let duplicate = device.file.try_clone().unwrap();
        drop(device);
        FileDevice::open(&path).unwrap();
        drop(duplicate);
    }

    #[test]
    fn a_file_becomes_longer_by_zeros_and_never_shorter() {
        let (dir, mut device) = new_device(4);
        device.write(&[WriteRequest { block: 3, bufs: &[&[7; 512]] }]).unwrap();
        device.extend(4 * 512).unwrap();
        device.extend(6 * 512 + 100).unwrap();
        assert_eq!(device.geometry().block_count, 6);
        assert_eq!((block(&device, 3), block(&device, 5)), ([7; 512], [0; 512]));
        let OpenError::Io { source, .. } = device.extend(5 * 512).unwrap_err() else { panic!() };
        assert_eq!(source.kind(), io::ErrorKind::InvalidInput);
        assert_eq!(fs::metadata(dir.path().join("image")).unwrap().len(), 6 * 512 + 100);
        drop(device);
        let mut device = FileDevice::open_read_only(dir.path().join("image")).unwrap();
        device.extend(7 * 512).unwrap_err();
    }

    #[test]
    fn ignores_what_is_left_over_after_the_last_block() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("image");
        fs::write(&path, vec![1; 3 * 512 + 511]).unwrap();
        assert_eq!(FileDevice::open(&path).unwrap().geometry().block_count, 3);
        fs::write(&path, []).unwrap();
        assert_eq!(FileDevice::open(&path).unwrap().geometry().block_count, 0);
    }

    #[test]
    fn discards_only_what_it_was_told_to() {
        let (_dir, device) = new_device(32);
        device.write(&[WriteRequest { block: 0, bufs: &[&[5; 32 * 512]] }]).unwrap();
        device.discard(8, 16).unwrap();
        device.discard(0, 0).unwrap();
        for kept in (0..8).chain(24..32) {
            assert_eq!(block(&device, kept), [5; 512]);
        }
        assert_eq!(device.geometry().size(), 32 * 512);
    }

    #[test]
    fn a_file_cut_off_while_it_is_open_is_an_error_with_its_place() {
        let (dir, device) = new_device(8);
        File::options()
            .write(true)
            .open(dir.path().join("image"))
            .unwrap()
            .set_len(5 * 512)
            .unwrap();
        let mut buf = [0; 1024];
        let error = device.read(&mut [ReadRequest { block: 4, buf: &mut buf }]).unwrap_err();
        assert_eq!((error.kind(), error.block()), (DeviceErrorKind::Io, Some(4)));
        assert!(error.source().is_some());
    }

    #[test]
    fn only_files_and_block_devices_are_opened() {
        let dir = tempdir().unwrap();
        for path in [dir.path(), Path::new("/dev/null")] {
            for opened in [FileDevice::open(path), FileDevice::open_read_only(path)] {
                assert!(matches!(opened.unwrap_err(), OpenError::NotADevice));
            }
        }
        let error = FileDevice::open(dir.path().join("missing")).unwrap_err();
        let OpenError::Io { source, .. } = error else { panic!("{error}") };
        assert_eq!(source.kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_pipe_is_refused_and_not_waited_for() {
        let dir = tempdir().unwrap();
        let path = dir.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(matches!(FileDevice::open_read_only(&path), Err(OpenError::NotADevice)));
        assert!(matches!(FileDevice::open(&path), Err(OpenError::NotADevice)));
    }

    #[test]
    fn a_flush_that_fails_is_reported() {
        // A pipe is the simplest thing that can't be flushed.
        let (pipe, _writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(pipe));
        let device = FileDevice { file, geometry: Geometry::new(512, 8) };
        assert_eq!(device.flush().unwrap_err().kind(), DeviceErrorKind::Io);
    }

    #[test]
    fn one_writer_or_many_readers() {
        let (dir, writer) = new_device(4);
        let path = dir.path().join("image");
        assert!(matches!(FileDevice::open(&path), Err(OpenError::InUse)));
        assert!(matches!(FileDevice::open_read_only(&path), Err(OpenError::InUse)));
        drop(writer);
        let readers = [(); 2].map(|()| FileDevice::open_read_only(&path).unwrap());
        assert!(matches!(FileDevice::open(&path), Err(OpenError::InUse)));
        drop(readers);
        FileDevice::open(&path).unwrap();
    }

    #[test]
    fn errors_of_the_system_keep_their_meaning() {
        let kind = |errno: Errno| device_error(Some(3), errno.into()).kind();
        assert_eq!(kind(Errno::NOSPC), DeviceErrorKind::NoSpace);
        assert_eq!(kind(Errno::DQUOT), DeviceErrorKind::NoSpace);
        assert_eq!(kind(Errno::ROFS), DeviceErrorKind::ReadOnly);
        assert_eq!(kind(Errno::PERM), DeviceErrorKind::ReadOnly);
        assert_eq!(kind(Errno::BADF), DeviceErrorKind::ReadOnly);
        assert_eq!(kind(Errno::TIMEDOUT), DeviceErrorKind::Timeout);
        assert_eq!(kind(Errno::OPNOTSUPP), DeviceErrorKind::Unsupported);
        assert_eq!(kind(Errno::IO), DeviceErrorKind::Io);
    }
}
