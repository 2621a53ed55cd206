#!/bin/bash
# cargo for Hermit: `scripts/cargo-hermit.sh build -p nerite-hermit`, with arguments as cargo's. Builds
# the standard library too, and the kernel if it is not there.
#
# NERITE_LIBHERMIT is the folder of another kernel's `libhermit.a`.
set -euo pipefail

# shellcheck source=scripts/bare-std.sh
. "$(dirname "$0")/bare-std.sh"

command=${1:?"usage: scripts/cargo-hermit.sh COMMAND [ARGUMENT]..."}
shift
NERITE_LIBHERMIT=${NERITE_LIBHERMIT:-$("$(dirname "$0")/hermit-kernel.sh")}
export NERITE_LIBHERMIT
library=$(find_library "$(rustc --print sysroot)" "$(rustc --version | cut -d' ' -f2)") || {
    echo "there are no sources of the standard library: run \`make setup\`" >&2
    exit 1
}
# Without `compiler-builtins-mem` there would be no memcpy: the kernel keeps its own to itself.
RUSTC_BOOTSTRAP=1 __CARGO_TESTS_ONLY_SRC_ROOT=$library exec cargo "$command" \
    --target x86_64-unknown-hermit -Zbuild-std=std,panic_abort \
    -Zbuild-std-features=compiler-builtins-mem "$@"
