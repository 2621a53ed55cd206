//! How a device can fail a request: the [source](core::error::Error::source) of the driver's errors.

use core::fmt;
use nerite::{DeviceError, DeviceErrorKind};

/// What went wrong between the driver and the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The device reported an error.
    Reported,
    /// The device does not know this request.
    Unsupported,
    /// The device reported success, but filled only so many bytes of the buffers.
    Short(u32),
    /// The device says that it wrote so many bytes, which is more than it was given.
    Long(u32),
    /// The device ended a request that it does not have: never got, or ended before.
    Unknown(u32),
    /// The device ended more requests than it has.
    Surplus,
    /// The device ended a request with a status that means nothing.
    Status(u8),
    /// The device did not answer in time.
    Silent,
    /// The device was given up after one of the last five, and answers nothing any more.
    GivenUp,
    /// The device can't reach the caller's memory, or not in as few pieces as it takes.
    Unreachable,
    /// The device did not come up.
    Setup(&'static str),
}

impl Fault {
    /// As an error about the request from `block` on.
    pub(crate) fn at(self, block: Option<u64>) -> DeviceError {
        let kind = match self {
            Self::Unsupported | Self::Setup(_) => DeviceErrorKind::Unsupported,
            Self::Silent => DeviceErrorKind::Timeout,
            _ => DeviceErrorKind::Io,
        };
        DeviceError::new(kind, block).with_source(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => f.write_str("the device reported an error"),
            Self::Unsupported => f.write_str("the device does not know the request"),
            Self::Short(len) => write!(f, "the device filled only {len} bytes"),
            Self::Long(len) => write!(f, "the device claims to have written {len} bytes"),
            Self::Unknown(id) => write!(f, "the device ended request {id}, which it does not have"),
            Self::Surplus => f.write_str("the device ended more requests than it has"),
            Self::Status(status) => write!(f, "the device ended a request with status {status}"),
            Self::Silent => f.write_str("the device is silent"),
            Self::GivenUp => f.write_str("the device was given up after an earlier error"),
            Self::Unreachable => f.write_str("the device can't reach the memory"),
            Self::Setup(what) => f.write_str(what),
        }
    }
}

impl core::error::Error for Fault {}
