//! `log`: what lies in the log, frame by frame.

use crate::cli::verbs as cli;
use crate::failure::{Code, Failure};
use crate::format::name_fields;
use crate::open::Opened;
use crate::out::Out;
use crate::time::shown;
use nerite::{BlockDevice, LogFrame, LogHead, LogItem, LogKey, LogOperation, LogReader, LogRecord};
use nerite_hostfs::FileDevice;
use serde_json::{Value, json};
use std::path::Path;

const HEAD: &str = "   operation          byte  kind           length  key";

/// Prints the log of an image that need not be sound.
pub(crate) fn of_image(args: &cli::Log, out: &mut Out) -> Result<(), Failure> {
    let image = &args.image.image;
    let device = FileDevice::open_read_only(image).map_err(Failure::open(image))?;
    let reader = LogReader::open(device).map_err(Failure::store(image))?;
    print(image, &reader, args, out)
}

/// Prints the log of a store that is open.
pub(crate) fn log(at: &Opened<'_>, args: &cli::Log, out: &mut Out) -> Result<(), Failure> {
    let reader = at.store.log_reader().map_err(|error| at.failed(error))?;
    print(at.image, &reader, args, out)
}

fn print<D: BlockDevice>(
    image: &Path,
    reader: &LogReader<D>,
    args: &cli::Log,
    out: &mut Out,
) -> Result<(), Failure> {
    let head = reader.head();
    let mut walk = match args.segment {
        Some(segment) if segment >= head.segment_count => {
            let (image, last) = (image.display(), head.segment_count.saturating_sub(1));
            return Err(Failure::usage(format!("{image}: segments are 0 to {last}")));
        }
        Some(segment) => reader.segment(segment),
        None => reader.tail(),
    };
    let mut lines = Lines { json: args.json, from: args.from, out };
    lines.head(&head)?;
    let mut damaged = 0u64;
    while let Some(item) = walk.next().map_err(Failure::store(image))? {
        damaged += u64::from(matches!(item, LogItem::Damaged { .. }));
        lines.item(&item)?;
    }
    if damaged == 0 {
        return Ok(());
    }
    let message = format!("{}: damaged in {damaged} place(s)", image.display());
    Err(Failure::new(Code::Corrupt, message))
}

/// What is printed, for people or for programs.
struct Lines<'a> {
    json: bool,
    from: u64,
    out: &'a mut Out,
}

impl Lines<'_> {
    fn head(&mut self, head: &LogHead) -> Result<(), Failure> {
        if self.json {
            return self.out.line(json!({ "head": {
                "checkpoint": head.checkpoint,
                "tail_at": head.tail_at,
                "tail_frame": head.tail_frame,
                "tail_operation": head.tail_sequence,
                "must_reach": head.must_reach,
            }}));
        }
        let LogHead { checkpoint, must_reach, tail_at, tail_frame, .. } = head;
        self.out
            .line(format_args!("head: checkpoint {checkpoint}, sealed up to frame {must_reach}"))?;
        self.out.line(format_args!("tail: frame {tail_frame}, byte {tail_at}"))?;
        self.out.line(HEAD)
    }

    fn item(&mut self, item: &LogItem<'_>) -> Result<(), Failure> {
        match item {
            LogItem::Frame(frame) if frame.sequence + u64::from(frame.records) <= self.from => {
                Ok(())
            }
            LogItem::Record(record) if record.sequence < self.from => Ok(()),
            item if self.json => self.out.line(json_of(item)),
            item => self.text(item),
        }
    }

    fn text(&mut self, item: &LogItem<'_>) -> Result<(), Failure> {
        let out = &mut *self.out;
        match item {
            LogItem::Frame(frame) => {
                let LogFrame { number, at, len, segment, group, time, .. } = frame;
                let group = if frame.is_first { String::new() } else { format!(", group {group}") };
                let mount = if frame.is_mount { ", mount" } else { "" };
                let time = shown(*time);
                out.line(format_args!(
                    "frame {number}: byte {at}, {len} bytes, segment {segment}{group}{mount}, {time}"
                ))
            }
            LogItem::Record(record) => {
                let LogRecord { at, sequence, .. } = record;
                let (kind, len, key) = described(record);
                out.line(format_args!("{sequence:>12}  {at:>12}  {kind:<12} {len:>8}  {key}"))
            }
            LogItem::Survivors { at, len } => {
                out.line(format_args!("survivors: byte {at}, {len} bytes"))
            }
            LogItem::Node { at, len, level, keys } => {
                out.line(format_args!("node: byte {at}, {len} bytes, level {level}, {keys} keys"))
            }
            LogItem::Damaged { corruption, name, .. } => match name {
                Some(name) => out.line(format_args!("{corruption}; it may be that of {name}")),
                None => out.line(corruption),
            },
            LogItem::End { at, frame } => out.line(format_args!("end: frame {frame}, byte {at}")),
            _ => Ok(()),
        }
    }
}

/// Its kind, the bytes of the value, and the key.
fn described(record: &LogRecord<'_>) -> (&'static str, String, String) {
    match &record.operation {
        LogOperation::Set { key, value } => ("set", value.len().to_string(), key.to_string()),
        LogOperation::Remove { key } => ("remove", String::new(), key.to_string()),
        LogOperation::RemoveRange { range } => ("remove range", String::new(), range.to_string()),
        LogOperation::Move { key, sequence, size, to } => {
            ("move", size.to_string(), format!("{key}: operation {sequence}, to byte {to}"))
        }
        LogOperation::SetLong { key, object, size } => {
            ("set", size.to_string(), format!("{key}: long value {object}"))
        }
        LogOperation::Extent { key, bytes } => ("bytes", bytes.len().to_string(), key.to_string()),
        LogOperation::Place { key, size, to } => {
            ("place", size.to_string(), format!("{key}: at byte {to}"))
        }
        _ => ("?", String::new(), String::new()),
    }
}

fn record_json(record: &LogRecord<'_>) -> Value {
    let mut fields = json!({
        "operation": record.sequence,
        "at": record.at,
        "length": record.len,
        "time": shown(record.modified),
    });
    match &record.operation {
        LogOperation::Set { key, value } => {
            fields["kind"] = "set".into();
            fields["size"] = value.len().into();
            key_fields(key, &mut fields);
        }
        LogOperation::Remove { key } => {
            fields["kind"] = "remove".into();
            key_fields(key, &mut fields);
        }
        LogOperation::RemoveRange { range } => {
            fields["kind"] = "remove range".into();
            fields["range"] = range.to_string().into();
        }
        LogOperation::Move { key, sequence, size, to } => {
            fields["kind"] = "move".into();
            fields["size"] = (*size).into();
            fields["of"] = (*sequence).into();
            fields["to"] = (*to).into();
            key_fields(key, &mut fields);
        }
        LogOperation::SetLong { key, object, size } => {
            fields["kind"] = "set".into();
            fields["size"] = (*size).into();
            fields["long"] = (*object).into();
            key_fields(key, &mut fields);
        }
        LogOperation::Extent { key, bytes } => {
            fields["kind"] = "bytes".into();
            fields["size"] = bytes.len().into();
            key_fields(key, &mut fields);
        }
        LogOperation::Place { key, size, to } => {
            fields["kind"] = "place".into();
            fields["size"] = (*size).into();
            fields["to"] = (*to).into();
            key_fields(key, &mut fields);
        }
        _ => {}
    }
    fields
}

fn json_of(item: &LogItem<'_>) -> Value {
    match item {
        LogItem::Frame(frame) => json!({ "frame": {
            "number": frame.number,
            "at": frame.at,
            "length": frame.len,
            "segment": frame.segment,
            "group": frame.group,
            "first": frame.is_first,
            "last": frame.is_last,
            "mount": frame.is_mount,
            "epoch": format!("{:016x}", frame.epoch),
            "durable": frame.durable,
            "checkpoint": frame.checkpoint,
            "operation": frame.sequence,
            "records": frame.records,
            "time": shown(frame.time),
        }}),
        LogItem::Record(record) => json!({ "record": record_json(record) }),
        LogItem::Survivors { at, len } => json!({ "survivors": { "at": at, "length": len } }),
        LogItem::Node { at, len, level, keys } => {
            json!({ "node": { "at": at, "length": len, "level": level, "keys": keys } })
        }
        LogItem::Damaged { corruption, len, name } => {
            let mut fields = json!({
                "at": corruption.at,
                "length": len,
                "why": corruption.to_string(),
            });
            if let Some(name) = name {
                name_fields(name, &mut fields);
            }
            json!({ "damaged": fields })
        }
        LogItem::End { at, frame } => json!({ "end": { "at": at, "frame": frame } }),
        _ => Value::Null,
    }
}

fn key_fields(key: &LogKey, fields: &mut Value) {
    match key {
        LogKey::Name(name) => name_fields(name, fields),
        LogKey::Extent { object, offset } => {
            fields["long"] = (*object).into();
            fields["offset"] = (*offset).into();
        }
        LogKey::Pending { object } => fields["unfinished"] = (*object).into(),
        _ => {}
    }
}
