//! What lies in the log, for tools: frames and records, of a store that is whole or damaged.

use super::Store;
use super::names::{KeyRange, LogKey, Name};
use super::recovery::check_readable;
use crate::clock::Timestamp;
use crate::device::BlockDevice;
use crate::error::{Corruption, Error};
use crate::format::frame::FrameHeader;
use crate::format::layout::Layout;
use crate::format::pointer::Pointer;
use crate::format::record::{Operation, Record};
use crate::format::superblock::Superblock;
use crate::log::{Disk, Walk, WalkStep, superblocks};
use core::fmt;

/// Looks at the log of a store without opening it: all that it needs is one good superblock. It writes
/// nothing. If somebody writes meanwhile, what it comes to may seem damaged.
///
/// ```
/// # use nerite::{CreateOptions, KvWrite, LogItem, LogReader, MemoryDevice, OpenOptions, Store, Timestamp};
/// # let device = MemoryDevice::new(4096, 64);
/// # Store::create(&device, CreateOptions::new(1))?;
/// # let store = Store::open(&device, || Timestamp(0), OpenOptions::new(2))?;
/// store.set(&"/lease".parse()?, b"10.0.0.7")?;
/// let reader = LogReader::open(&device)?;
/// let mut tail = reader.tail();
/// while let Some(item) = tail.next()? {
///     if let LogItem::Record(record) = item {
///         println!("byte {}: operation {}", record.at, record.sequence);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LogReader<D> {
    disk: Disk<D>,
    superblock: Superblock,
}

/// Where the log stands by its superblock. The end of the chain lies behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogHead {
    /// The checkpoint that put this superblock in force.
    pub checkpoint: u64,
    /// Where the tail starts, in bytes on the device: replay begins here.
    pub tail_at: u64,
    /// The number of the first frame of the tail.
    pub tail_frame: u64,
    /// The sequence of the first operation of the tail.
    pub tail_sequence: u64,
    /// The highest frame that was durable then.
    pub must_reach: u64,
    /// Bytes in a segment.
    pub segment_size: u64,
    /// How many segments there are. They are numbered from 0.
    pub segment_count: u32,
}

/// What lies in the log, in order; lent until the next is asked for. [`LogReader::tail`] and
/// [`LogReader::segment`] make it.
///
/// Memory is that of one frame (1 MiB), or one segment, twice.
pub struct LogWalk<'a, D> {
    walk: Walk<'a, D>,
    layout: Layout,
}

/// Something in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogItem<'a> {
    /// A frame. Its records follow.
    Frame(LogFrame),
    /// An operation, of the frame or the survivors that came before.
    Record(LogRecord<'a>),
    /// Copies of records outside the chain. They follow.
    Survivors {
        /// The first byte on the device.
        at: u64,
        /// Bytes.
        len: u64,
    },
    /// A node of the index, in force or not.
    Node {
        /// The first byte on the device.
        at: u64,
        /// Bytes.
        len: u64,
        /// 0 for a leaf.
        level: u8,
        /// How many keys are in it.
        keys: usize,
    },
    /// Something is damaged. What follows is what is found behind it.
    Damaged {
        /// What, and where.
        corruption: Corruption,
        /// Bytes that are lost, if that is known; otherwise 0.
        len: u64,
        /// Of a record, what looks like its key; it is not proven.
        name: Option<Name>,
    },
    /// The chain ends here. What a crash may have left behind it does not count.
    End {
        /// Where the next frame would lie, in bytes on the device.
        at: u64,
        /// Its number.
        frame: u64,
    },
}

/// A frame, as its header has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogFrame {
    /// The first byte on the device.
    pub at: u64,
    /// Bytes, whole blocks.
    pub len: u64,
    /// The segment that it lies in.
    pub segment: u32,
    /// Its number in the chain, from 1.
    pub number: u64,
    /// The number of the first frame of its group.
    pub group: u64,
    /// It is the first of its group.
    pub is_first: bool,
    /// It is the last of its group: with it the commit takes effect.
    pub is_last: bool,
    /// It is the first of a mount.
    pub is_mount: bool,
    /// The random number of the mount that wrote it.
    pub epoch: u64,
    /// The highest frame that was known durable when it was written.
    pub durable: u64,
    /// The newest checkpoint that was known durable when it was written.
    pub checkpoint: u64,
    /// The sequence of its first operation.
    pub sequence: u64,
    /// The time of those operations that have none of their own.
    pub time: Timestamp,
    /// How many records it has.
    pub records: u32,
}

/// An operation, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogRecord<'a> {
    /// The first byte on the device.
    pub at: u64,
    /// Bytes.
    pub len: u32,
    /// Counts operations from 1.
    pub sequence: u64,
    /// When the value was written; 0 if only the index knows, as of copies of some records, or if the
    /// header of the frame that had it is lost.
    pub modified: Timestamp,
    /// What was done.
    pub operation: LogOperation<'a>,
}

/// What a record does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogOperation<'a> {
    /// The key has this value.
    Set {
        /// The key.
        key: LogKey,
        /// The value.
        value: &'a [u8],
    },
    /// The key has no value.
    Remove {
        /// The key.
        key: LogKey,
    },
    /// No key of the range has a value.
    RemoveRange {
        /// The range.
        range: KeyRange,
    },
    /// The value of the key, as of an earlier operation, lies elsewhere.
    Move {
        /// The key.
        key: LogKey,
        /// The operation that set it.
        sequence: u64,
        /// Bytes of the value.
        size: u64,
        /// Where the record of that operation lies now, in bytes on the device.
        to: u64,
    },
    /// The key's value is a long one, which lies in extents.
    SetLong {
        /// The key.
        key: LogKey,
        /// The number of the long value.
        object: u64,
        /// Bytes of it.
        size: u64,
    },
    /// Bytes of a long value. Such a record lies outside the chain.
    Extent {
        /// Which ones.
        key: LogKey,
        /// They.
        bytes: &'a [u8],
    },
    /// Bytes of a long value lie outside the chain.
    Place {
        /// Which ones.
        key: LogKey,
        /// How many.
        size: u64,
        /// Where their record lies, in bytes on the device.
        to: u64,
    },
}

impl<D: BlockDevice> LogReader<D> {
    /// Reads the superblock of the store on a device, and nothing else.
    ///
    /// # Errors
    /// [`Error::NotFormatted`] if there is none; [`Error::Corrupt`] if all its copies are damaged;
    /// [`Error::Unsupported`] if the store is of a newer version; [`Error::DeviceChanged`] if the
    /// device has become smaller; [`Error::Device`].
    pub fn open(device: D) -> Result<Self, Error> {
        let disk = Disk::new(device)?;
        let superblock = superblocks::read(&disk)?.newest.superblock;
        check_readable(&superblock, disk.geometry())?;
        Ok(Self { disk, superblock })
    }

    /// Where the log stands.
    #[must_use]
    pub fn head(&self) -> LogHead {
        let Superblock { layout, checkpoint, must_reach, tail_start, .. } = &self.superblock;
        LogHead {
            checkpoint: *checkpoint,
            tail_at: tail_start.at(layout),
            tail_frame: tail_start.number,
            tail_sequence: tail_start.sequence,
            must_reach: *must_reach,
            segment_size: layout.segment_len(),
            segment_count: layout.segment_count,
        }
    }

    /// The tail: the chain from where replay begins up to its end, which is told. Behind a damaged
    /// frame it goes on, as far as anything says that what is there was durable.
    pub fn tail(&self) -> LogWalk<'_, D> {
        self.walk(Walk::tail(&self.disk, &self.superblock))
    }

    /// All that is found in a segment, in the order in which it lies there. It may be of any age:
    /// what is not needed any more is there until it is written over. Nothing, if there is no such
    /// segment.
    pub fn segment(&self, segment: u32) -> LogWalk<'_, D> {
        self.walk(Walk::segment(&self.disk, &self.superblock, segment))
    }

    fn walk<'a>(&self, walk: Walk<'a, D>) -> LogWalk<'a, D> {
        LogWalk { walk, layout: self.superblock.layout }
    }
}

impl<D: BlockDevice> Store<D> {
    /// A look at the log of this store. What is written meanwhile may seem damaged to it.
    ///
    /// # Errors
    /// None that a store on the same device would not have had.
    pub fn log_reader(&self) -> Result<LogReader<&D>, Error> {
        let superblock = *self.log.lock().superblock();
        Ok(LogReader { disk: Disk::new(self.disk.device())?, superblock })
    }
}

impl<D: BlockDevice> LogWalk<'_, D> {
    /// What comes next; `None` behind the last.
    ///
    /// # Errors
    /// None that damage could cause: what can't be read is [`LogItem::Damaged`].
    #[expect(clippy::should_implement_trait, reason = "items are lent, which an iterator can't")]
    pub fn next(&mut self) -> Result<Option<LogItem<'_>>, Error> {
        let layout = self.layout;
        Ok(self.walk.next()?.map(|step| match step {
            WalkStep::Frame { header, len } => LogItem::Frame(frame(&header, len, &layout)),
            WalkStep::Survivors { at, len } => LogItem::Survivors { at, len },
            WalkStep::Node { node, len } => {
                LogItem::Node { at: node.at(), len, level: node.level(), keys: node.len() }
            }
            WalkStep::Record { record, pointer, time } => {
                LogItem::Record(record_of(record, pointer, time))
            }
            WalkStep::Damaged { corruption, len, key } => {
                LogItem::Damaged { corruption, len, name: key.and_then(Name::of) }
            }
            WalkStep::End { at, number } => LogItem::End { at, frame: number },
        }))
    }
}

fn record_of(record: Record<'_>, pointer: Pointer, time: Timestamp) -> LogRecord<'_> {
    let Record { sequence, modified, operation, .. } = record;
    let (modified, operation) = (modified.unwrap_or(time), operation_of(operation));
    LogRecord { at: pointer.at, len: pointer.len, sequence, modified, operation }
}

fn frame(header: &FrameHeader, len: u64, layout: &Layout) -> LogFrame {
    LogFrame {
        at: layout.at(header.place.segment, header.place.block),
        len,
        segment: header.place.segment,
        number: header.number,
        group: header.group,
        is_first: header.first,
        is_last: header.last,
        is_mount: header.mount,
        epoch: header.epoch,
        durable: header.durable,
        checkpoint: header.checkpoint,
        sequence: header.sequence,
        time: header.time,
        records: header.record_count,
    }
}

fn operation_of(operation: Operation<'_>) -> LogOperation<'_> {
    match operation {
        Operation::Set { key, value } => LogOperation::Set { key: LogKey::checked(key), value },
        Operation::Remove { key } => LogOperation::Remove { key: LogKey::checked(key) },
        Operation::RemoveRange { from, to } => {
            LogOperation::RemoveRange { range: KeyRange::new(from, to) }
        }
        Operation::Move { key, moved } => LogOperation::Move {
            key: LogKey::checked(key),
            sequence: moved.sequence,
            size: moved.size.into(),
            to: moved.record.at,
        },
        Operation::SetObject { key, object } => LogOperation::SetLong {
            key: LogKey::checked(key),
            object: object.id,
            size: object.size,
        },
        Operation::Extent { key, bytes } => {
            LogOperation::Extent { key: LogKey::checked(key), bytes }
        }
        Operation::Place { key, placed } => LogOperation::Place {
            key: LogKey::checked(key),
            size: placed.size.into(),
            to: placed.record.at,
        },
    }
}

impl<D> fmt::Debug for LogReader<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogReader").field(&self.superblock).finish_non_exhaustive()
    }
}

impl<D> fmt::Debug for LogWalk<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogWalk").finish_non_exhaustive()
    }
}
