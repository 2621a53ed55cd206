#!/bin/bash
# cargo for the bare target: `scripts/cargo-bare.sh build -p nerite`, with arguments as cargo's.
set -euo pipefail

# shellcheck source=scripts/bare-std.sh
. "$(dirname "$0")/bare-std.sh"

command=${1:?"usage: scripts/cargo-bare.sh COMMAND [ARGUMENT]..."}
shift
sysroot=$(rustc --print sysroot)
if has_bare_std "$sysroot"; then
    exec cargo "$command" --target "$BARE_TARGET" "$@"
fi
version=$(rustc --version | cut -d' ' -f2)
library=$(find_library "$sysroot" "$version") || {
    echo "there is no standard library for $BARE_TARGET: run \`make setup\`" >&2
    exit 1
}
# Without `compiler-builtins-mem` there would be no memcpy: a bare target has no C library.
RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$library exec cargo "$command" \
    --target "$BARE_TARGET" -Zbuild-std=core,alloc,compiler_builtins \
    -Zbuild-std-features=compiler-builtins-mem "$@"
