//! The tool as its users meet it: the real binary, on images in directories of their own.

mod bench;
mod copy;
mod data;
mod dump;
mod everywhere;
mod image;
mod listing;
mod log;
mod lumps;
mod part;
mod refusals;
mod resize;
mod run;
mod salvage;
mod session;
mod terminal;
mod walk;
