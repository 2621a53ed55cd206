#!/bin/bash
# Fetches what is missing of what the project needs beyond its own files: QEMU and a C linker from the
# system's packages, and the sources of the standard library. Says nothing when nothing is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# shellcheck source=scripts/bare-std.sh
. scripts/bare-std.sh

# Long enough for a usual line. Then Debian is asked: where there is no way to the server, rustup would
# go on trying for minutes.
RUSTUP_SECONDS=25

main() {
    local version
    version=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
    have_packages
    have_rust "$version"
    have_library "$version"
}

fail() {
    printf 'setup: %s\n' "$@" >&2
    exit 1
}

have_packages() {
    local missing=()
    command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
    command -v cc >/dev/null || missing+=(gcc libc6-dev)
    command -v objcopy >/dev/null || missing+=(binutils)
    [ ${#missing[@]} -eq 0 ] && return
    command -v apt-get >/dev/null ||
        fail "missing: ${missing[*]} (Debian's names). There is no apt-get here: install them by hand."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            fail "missing: ${missing[*]}. Run as root: apt-get install --no-install-recommends ${missing[*]}"
        as_root=(sudo)
    fi
    echo "setup: installing ${missing[*]}"
    local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends)
    "${as_root[@]}" "${install[@]}" "${missing[@]}" >/dev/null 2>&1 || {
        # The package lists are absent or out of date.
        "${as_root[@]}" apt-get update -qq
        "${as_root[@]}" "${install[@]}" "${missing[@]}" >/dev/null
    }
}

have_rust() {
    command -v cargo >/dev/null ||
        fail "there is no cargo: install Rust $1, for example with rustup (https://rustup.rs)."
    local found
    found=$(rustc --version 2>/dev/null | cut -d' ' -f2) || found=
    [ "$found" = "$1" ] && return
    command -v rustup >/dev/null || fail "this is Rust ${found:-?}, the project needs exactly $1."
    echo "setup: installing Rust $1"
    rustup toolchain install "$1" --profile minimal --component clippy --component rustfmt ||
        fail "Rust $1 is not installed, and rustup could not download it."
}

# Sources do for all targets. Beside them, the bare target's library as rustup has it saves time.
have_library() {
    local version=$1 sysroot
    sysroot=$(rustc --print sysroot)
    find_library "$sysroot" "$version" >/dev/null && return
    if [ -z "${NERITE_BUILD_STD:-}" ] && command -v rustup >/dev/null; then
        echo "setup: adding rust-src and the target $BARE_TARGET with rustup"
        export RUST_BACKTRACE=0
        timeout "$RUSTUP_SECONDS" rustup component add rust-src &&
            timeout "$RUSTUP_SECONDS" rustup target add "$BARE_TARGET" || true
        find_library "$sysroot" "$version" >/dev/null && return
        echo "setup: rustup could not download it"
    fi
    echo "setup: fetching the sources of Rust $version from Debian"
    library_from_debian "$version" || fail \
        "there are no sources of the standard library. Either of these would do:" \
        "    rustup component add rust-src" \
        "    the sources of Rust $version at $(cached_library "$version")"
}

# Debian packages the sources of every compiler that it has. apt does the work, in a folder of its
# own: it finds the mirror that this machine uses, and checks the signature of what it gets.
library_from_debian() {
    local version=$1 library work
    command -v apt-get >/dev/null || return
    library=$(cached_library "$version")
    mkdir -p "$(dirname "$library")"
    # Beside its destination, so that the last step is one rename.
    work=$(mktemp -d "$(dirname "$library")/fetch.XXXXXX")
    # shellcheck disable=SC2064 # the folder of now
    trap "rm -rf '$work'" EXIT
    mkdir -p "$work"/{lists,cache/archives}/partial
    local apt=(
        apt-get -qq
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=-
        -o Dir::State::lists="$work/lists" -o Dir::Cache="$work/cache"
        -o Acquire::Languages=none -o APT::Sandbox::User=root
    )
    local site
    for site in $(debian_sites); do
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie-backports main" \
            >"$work/sources.list"
        # The package's version goes on after the compiler's: 1.95.0+dfsg1-2~bpo13+1.
        if "${apt[@]}" update && (cd "$work" && "${apt[@]}" download "rust-src=$version+*"); then
            break
        fi
    done
    compgen -G "$work/rust-src_*.deb" >/dev/null || return
    dpkg-deb --fsys-tarfile "$work"/rust-src_*.deb |
        tar -x -C "$work" "./usr/src/rustc-$version/library"
    # Another setup may have been faster.
    mv -T "$work/usr/src/rustc-$version/library" "$library" 2>/dev/null ||
        [ -f "$library/core/Cargo.toml" ]
}

# The mirrors of Debian's main archive that apt is configured with.
debian_sites() {
    apt-get indextargets --format '$(CREATED_BY) $(ORIGIN) $(SITE)' |
        sed -n 's/^Packages Debian //p' | grep -v -- '-security' | sort -u
}

main
