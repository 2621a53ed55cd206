//! The tool as its users meet it: the real binary, on images in directories of their own.

mod data;
mod image;
mod listing;
mod refusals;
mod run;
