#!/bin/bash
# `make run` and `make hermit`: the host makes a disk and leaves a word on it, the guest boots with it,
# and the host reads what the guest wrote.
#
#     scripts/run.sh TOOL IMAGE MACHINE DISK [WORDS]
set -euo pipefail
cd "$(dirname "$0")/.."

usage="usage: scripts/run.sh TOOL IMAGE MACHINE DISK [WORDS]"
tool=${1:?"$usage"} image=${2:?"$usage"} machine=${3:?"$usage"} disk=${4:?"$usage"}
read -ra words <<<"${5:-}"
case $machine in
    q35 | microvm | hermit) ;;
    *) echo "run.sh: the machine is q35, microvm or hermit, not \"$machine\"" >&2 && exit 2 ;;
esac

# Prints a command and runs it.
show() {
    echo
    echo "\$ ${*/#"$PWD"\//}"
    "$@"
}

mkdir -p "$(dirname "$disk")"
[ -e "$disk" ] || show "$tool" create "$disk" --size 64M
show "$tool" set "$disk" /host/hello "hello from $(uname -s) at $(date -u +%FT%TZ)"
IMAGE=$image show scripts/qemu.sh "$machine" "$disk" "${words[@]}"
show "$tool" ls -lR "$disk"
show "$tool" get "$disk" /boot/count
echo
show "$tool" get "$disk" /boot/time
echo
