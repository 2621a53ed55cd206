#!/bin/bash
# Boots the image with a disk under QEMU:
#
#     scripts/qemu.sh MACHINE DISK [WORD]...
#
# MACHINE is q35, microvm, or hermit, which is q35 with the Hermit kernel on it. DISK is a raw image
# file, the words are the guest's command line. The exit status is 0 if the guest did all that it was
# told, and otherwise as unikernel-app/README.md says.
#
# From the environment: IMAGE (the guest), LOADER (what boots it on Hermit), ACCEL (tcg or kvm), MEMORY, TIMEOUT in seconds, CACHE
# (QEMU's cache mode), DRIVE (more properties of the drive, as ",readonly=on"), DEVICE (of the disk).
set -euo pipefail

machine=${1:?"usage: scripts/qemu.sh MACHINE DISK [WORD]..."}
disk=${2:?"usage: scripts/qemu.sh MACHINE DISK [WORD]..."}
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
target=${CARGO_TARGET_DIR:-$root/target}
accel=${ACCEL:-tcg}
timeout=${TIMEOUT-60}

fail() {
    echo "qemu.sh: $1" >&2
    exit "${2:-2}"
}

[[ $timeout =~ ^[1-9][0-9]*$ ]] || fail "TIMEOUT is whole seconds, 1 or more, not \"$timeout\""
command -v qemu-system-x86_64 >/dev/null || fail "there is no qemu-system-x86_64: run \`make setup\`"
[ -f "$disk" ] || fail "there is no disk image at $disk"

case $machine in
    # A disk that is only virtio 1.0: what the specification calls non-transitional.
    q35) machine_options=q35 device=virtio-blk-pci,disable-legacy=on,drive=disk${DEVICE:-} ;;
    microvm) machine_options=microvm device=virtio-blk-device,drive=disk${DEVICE:-} ;;
    hermit) machine_options=q35 device=virtio-blk-pci,disable-legacy=on,drive=disk${DEVICE:-} ;;
    *) fail "the machine is q35, microvm or hermit, not \"$machine\"" ;;
esac
# Words before "--" would be the kernel's own.
case $machine in
    hermit)
        image=${IMAGE:-$target/x86_64-unknown-hermit/hermit/nerite-unikernel}
        loader=${LOADER:-$target/x86_64-unknown-none/image/nerite-loader}
        boot=(-kernel "$loader" -initrd "$image" -append "-- $*")
        ;;
    *)
        image=${IMAGE:-$target/x86_64-unknown-none/image/nerite-unikernel}
        loader=$image
        boot=(-kernel "$image" -append "$*")
        ;;
esac
[[ -f $image && -f $loader ]] || fail "there is no image at $image: run \`make image hermit-image\`"
case $accel in
    tcg) cpu=max ;;
    kvm) cpu=host,-arch-capabilities ;; # some nested hosts refuse to set that feature's MSR
    *) fail "ACCEL is tcg or kvm, not \"$accel\"" ;;
esac

# In these cache modes the guest is offered a flush, and QEMU makes it reach the disk.
case ${CACHE:=writeback} in
    writeback | none) ;;
    *) echo "qemu.sh: with cache=$CACHE a flush may not be offered, or mean nothing" >&2 ;;
esac

output=$(mktemp)
trap 'rm -f "$output"' EXIT
status=0
# In the foreground, so that Ctrl-C reaches QEMU too.
trap 'exit 130' INT
timeout --foreground --kill-after=5 "$timeout" qemu-system-x86_64 \
    -nodefaults -no-user-config -display none -no-reboot -serial stdio \
    -machine "$machine_options,accel=$accel" -cpu "$cpu" -smp 1 -m "${MEMORY:-128M}" \
    -device isa-debug-exit,iobase=0xf4,iosize=4 \
    -global virtio-mmio.force-legacy=false \
    -drive "if=none,id=disk,file=${disk//,/,,},format=raw,cache=$CACHE${DRIVE:-}" \
    -device "$device" \
    "${boot[@]}" </dev/null | tee "$output" || status=${PIPESTATUS[0]}

# isa-debug-exit makes an exit value of n the status 2n + 1. QEMU exits with 1 too when it can't
# start, so success also needs the guest's word.
case $status in
    0) fail "the machine stopped or reset without a word from the guest" ;;
    1) grep -q '^nerite: done' "$output" || fail "QEMU did not start, or the guest is another one" ;;
    124 | 137) fail "the guest did not end within $timeout seconds" 124 ;;
    3 | 5 | 7 | 9 | 11)
        fail "the guest ended with exit value $((status / 2)) (unikernel-app/README.md)" $((status / 2)) ;;
    *) fail "QEMU ended with status $status" ;;
esac
