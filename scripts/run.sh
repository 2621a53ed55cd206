#!/bin/bash
# `make run`: the host makes a disk and leaves a word on it, the guest boots with it, and the host
# reads what the guest wrote.
#
#     scripts/run.sh TOOL IMAGE MACHINE DISK [WORD]...
set -euo pipefail
cd "$(dirname "$0")/.."

tool=$1 image=$2 machine=$3 disk=$4
shift 4

# Prints a command and runs it.
show() {
    echo
    echo "\$ ${*/#"$PWD"\//}"
    "$@"
}

mkdir -p "$(dirname "$disk")"
[ -e "$disk" ] || show "$tool" create "$disk" --size 64M
show "$tool" set "$disk" /host/hello "hello from $(uname -s) at $(date -u +%FT%TZ)"
IMAGE=$image show scripts/qemu.sh "$machine" "$disk" "$@"
show "$tool" ls -lR "$disk"
show "$tool" get "$disk" /boot/count
echo
show "$tool" get "$disk" /boot/time
echo
