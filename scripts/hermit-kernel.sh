#!/bin/bash
# Builds Hermit's kernel as the library that an application is linked with, and prints the folder of
# `libhermit.a`. Does nothing more if it is there.
#
# cargo fetches the kernel's source, which unikernel-app/hermit/kernel/Cargo.lock names to the byte.
# A copy of it, below the target folder, is changed in one thing: the attribute `naked` has since been
# declared unsafe.
#
# From the environment: HERMIT_FEATURES, the kernel's features with commas between them, and
# HERMIT_LOG_LEVEL_FILTER, what it prints (off, error, warn, info, debug).
set -euo pipefail
cd "$(dirname "$0")/.."

VERSION=0.11.0
# So many functions are naked in that version, for all architectures.
NAKED=9
# Without `smp`, whose build needs parts of LLVM that the toolchain lacks: one CPU.
FEATURES=${HERMIT_FEATURES:-pci,acpi,fsgsbase}
export HERMIT_LOG_LEVEL_FILTER=${HERMIT_LOG_LEVEL_FILTER:-error} NO_COLOR=1

manifest=unikernel-app/hermit/kernel/Cargo.toml
out=$(realpath -m "${CARGO_TARGET_DIR:-target}")/hermit-kernel
library=$out/lib/libhermit.a

main() {
    local made_of
    made_of=$(cat scripts/hermit-kernel.sh "${manifest%toml}lock" | sha256sum)
    made_of="$made_of $(rustc --version) $FEATURES $HERMIT_LOG_LEVEL_FILTER"
    if [ ! -f "$library" ] || [ "$(cat "$out/made-of" 2>/dev/null)" != "$made_of" ]; then
        rm -rf "$out"
        mkdir -p "$out/lib"
        copy_source
        build
        hide_internals
        echo "$made_of" >"$out/made-of"
    fi
    echo "$out/lib"
}

fail() {
    echo "hermit-kernel.sh: $1" >&2
    exit 1
}

copy_source() {
    local found
    found=$(cargo metadata --locked --format-version 1 --filter-platform x86_64-unknown-none \
        --manifest-path "$manifest" |
        grep -o "\"manifest_path\":\"[^\"]*/hermit-kernel-$VERSION/Cargo.toml\"" | cut -d'"' -f4) ||
        fail "cargo did not fetch version $VERSION of the kernel"
    cp -r "$(dirname "$found")" "$out/source"
    chmod -R u+w "$out/source"
    # It names a compiler of its own, and is part of no workspace.
    rm "$out/source/rust-toolchain.toml"
    printf '\n[workspace]\n' >>"$out/source/Cargo.toml"

    local files
    files=$(grep -rlFx '#[naked]' "$out/source/src") || fail "the source has no naked functions"
    # shellcheck disable=SC2086 # one word for each file
    [ "$(cat $files | grep -cFx '#[naked]')" -eq "$NAKED" ] ||
        fail "the source is not that of version $VERSION: other functions are naked"
    # shellcheck disable=SC2086
    sed -i 's/^#\[naked\]$/#[unsafe(naked)]/' $files
}

# Position-independent, as the application is; the other flag is the kernel's own choice.
build() {
    local cargo=$PWD/scripts/cargo-bare.sh
    (cd "$out/source" && RUSTC_BOOTSTRAP=1 \
        RUSTFLAGS="-Crelocation-model=pic -Zmutable-noalias=no" CARGO_TARGET_DIR="$out/build" \
        "$cargo" rustc --quiet --locked --lib --crate-type staticlib --release \
        --no-default-features --features "$FEATURES") 2>"$out/log" || {
        tail -n 40 "$out/log" >&2
        fail "the kernel can't be built: see $out/log"
    }
}

# The kernel has a copy of the standard library, for a CPU without SSE, and the application another
# one. So the kernel keeps its names to itself, but for its entry and the system calls. The bitcode
# that the compiler's own libraries carry is of no use, and older tools stumble over it.
hide_internals() {
    ld -r --whole-archive "$out/build/x86_64-unknown-none/release/libhermit.a" -o "$out/hermit.o"
    objcopy --wildcard --keep-global-symbol=_start --keep-global-symbol='sys_*' \
        --remove-section=.llvmbc --remove-section=.llvmcmd "$out/hermit.o"
    ar rcs "$library.new" "$out/hermit.o"
    mv "$library.new" "$library"
}

main
