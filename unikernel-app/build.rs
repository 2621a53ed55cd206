//! Hands the bare image's linker script to the linker.

use std::env::var;

fn main() {
    let script = "src/platform/image.ld";
    println!("cargo:rerun-if-changed={script}");
    if var("CARGO_CFG_TARGET_OS").as_deref() == Ok("none") {
        let folder = var("CARGO_MANIFEST_DIR").expect("cargo sets it");
        println!("cargo:rustc-link-arg-bins=-T{folder}/{script}");
    }
}
