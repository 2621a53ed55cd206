# Sourced: where the standard library for the bare target comes from, and that for Hermit. There are
# two ways; for Hermit only the second one.
#
# - rustup has installed it for the target: cargo just uses it.
# - Otherwise cargo builds it itself, from sources of exactly the pinned compiler: in
#   the toolchain, if rustup put them there, or in the user's cache, if setup.sh did. That is
#   `-Zbuild-std`, which a stable cargo only knows with RUSTC_BOOTSTRAP=1, and which looks for
#   sources only in the toolchain, but for the variable that its own tests use. The toolchain is the
#   user's and is left as it is.
#
# NERITE_BUILD_STD=1 takes the second way even where the first is open, to test it.

BARE_TARGET=x86_64-unknown-none

# The sources' place in the cache, for the compiler version $1.
cached_library() {
    echo "${XDG_CACHE_HOME:-$HOME/.cache}/nerite/rust-src-$1/library"
}

# Whether the target's standard library is installed in the toolchain at $1.
has_bare_std() {
    [ -z "${NERITE_BUILD_STD:-}" ] && [ -d "$1/lib/rustlib/$BARE_TARGET/lib" ]
}

# Prints the sources for the toolchain at $1 of version $2, or fails.
find_library() {
    local library
    for library in "$1/lib/rustlib/src/rust/library" "$(cached_library "$2")"; do
        if [ -f "$library/core/Cargo.toml" ]; then
            echo "$library"
            return
        fi
    done
    return 1
}
