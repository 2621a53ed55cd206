//! Nothing: `Cargo.toml` names a dependency, and cargo wants a file beside it.
#![no_std]
#![forbid(unsafe_code)]
