//! Links the kernel. Without it the linker would make an image that is empty, and be content.

use std::env::var;
use std::path::Path;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=NERITE_LIBHERMIT");
    if var("CARGO_CFG_TARGET_OS").as_deref() != Ok("hermit") {
        return;
    }
    let Ok(folder) = var("NERITE_LIBHERMIT") else {
        panic!(
            "NERITE_LIBHERMIT is not set: it is the folder that scripts/hermit-kernel.sh prints"
        );
    };
    let library = Path::new(&folder).join("libhermit.a");
    assert!(library.is_file(), "there is no kernel at {}", library.display());
    println!("cargo:rerun-if-changed={}", library.display());
    println!("cargo:rustc-link-search=native={folder}");
    println!("cargo:rustc-link-lib=static=hermit");
}
