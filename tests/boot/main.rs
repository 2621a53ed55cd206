//! The image under QEMU and the host take turns with one disk, and must agree on every byte.
//!
//! All machines run every test: they have the disk on different buses, or another kernel under the
//! application.

mod vm;

use nerite::{CreateOptions, Key, KvRead, KvWrite, OpenOptions, Store, Timestamp};
use nerite_hostfs::{FileDevice, SystemClock, random_seed};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use vm::{BOOT_TIME, Config, Machine};

/// A disk image in a folder of its own, which goes with it.
struct Disk {
    path: PathBuf,
    _folder: TempDir,
}

const SIZE: u64 = 8 << 20;

impl Disk {
    /// Zeros.
    fn blank() -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("disk.img");
        drop(FileDevice::create(&path, SIZE).unwrap());
        Self { path, _folder: folder }
    }

    /// With an empty store that the host made.
    fn formatted() -> Self {
        let disk = Self::blank();
        let device = FileDevice::open(&disk.path).unwrap();
        Store::create(&device, CreateOptions::new(random_seed().unwrap())).unwrap();
        disk
    }

    fn open(&self) -> Store<FileDevice> {
        let device = FileDevice::open(&self.path).unwrap();
        let options = OpenOptions::new(random_seed().unwrap());
        Store::open(device, SystemClock, options).unwrap()
    }

    fn set(&self, path: &str, value: &str) {
        let store = self.open();
        store.set(&key(path), value.as_bytes()).unwrap();
        store.close().unwrap();
    }

    fn get(&self, path: &str) -> String {
        String::from_utf8(self.open().get(&key(path)).unwrap()).unwrap()
    }
}

fn key(path: &str) -> Key {
    Key::new(path).unwrap()
}

/// One test for each machine.
macro_rules! on_all_machines {
    ($($test:ident)*) => {
        mod q35 {
            $(#[test] fn $test() { super::$test(super::Config::new(super::Machine::Q35)); })*
        }
        mod microvm {
            $(#[test] fn $test() { super::$test(super::Config::new(super::Machine::Microvm)); })*
        }
        mod hermit {
            $(#[test] fn $test() { super::$test(super::Config::new(super::Machine::Hermit)); })*
        }
    };
}

on_all_machines! {
    host_and_guest_read_what_the_other_wrote
    the_guest_formats_a_blank_disk_and_no_other
    a_disk_without_a_store_is_refused
    a_store_is_never_formatted_again
    acknowledged_keys_survive_a_kill
    a_read_only_disk_is_only_read
    a_disk_of_4_kib_blocks_and_little_memory_will_do
    a_disk_without_a_flush_is_refused
    a_disk_without_a_volatile_cache_needs_none
    what_was_freed_is_discarded
    a_word_that_makes_no_sense_ends_the_boot
    a_panic_and_a_fault_end_the_boot
}

fn host_and_guest_read_what_the_other_wrote(machine: Config<'_>) {
    let disk = Disk::formatted();
    disk.set("/host/hello", "ahoy");
    disk.set("/old/a", "1");
    disk.set("/old/b", "2");
    let first = machine.run(&disk.path, "set /net/address=10.0.0.2 rm /old get /net/address");
    first.is_done();
    first.says("host says: ahoy");
    first.says("boot: 1");
    first.says("/net/address = 10.0.0.2");
    assert_eq!(disk.get("/boot/count"), "1");
    assert_eq!(disk.get("/net/address"), "10.0.0.2");
    assert_eq!(disk.open().exists(&key("/old")).unwrap(), None);
    let time = disk.get("/boot/time");
    // To the minute: how long the boot takes is no promise.
    assert_eq!(time[..16], BOOT_TIME[..16], "{time}");
    let modified = disk.open().last_modified(&key("/boot/count")).unwrap();
    let start_of_2030 = Timestamp(1_893_456_000_000_000_000);
    let start_of_2031 = Timestamp(1_924_992_000_000_000_000);
    assert!((start_of_2030..start_of_2031).contains(&modified), "{modified:?}");

    disk.set("/net/address", "10.0.0.3");
    let second = machine.run(&disk.path, "get /net/address");
    second.is_done();
    second.says("boot: 2");
    second.says("/net/address = 10.0.0.3");
    assert_eq!(disk.get("/boot/count"), "2");
}

/// What `scripts/qemu.sh` makes of how the machine ends.
#[test]
fn the_script_tells_how_the_guest_ended() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/qemu.sh");
    let disk = Disk::formatted();
    let status = |machine: &str, seconds: &str, words: &str| {
        let mut command = Command::new(&script);
        command.arg(machine).arg(&disk.path).args(words.split_whitespace());
        command.env("CARGO_TARGET_DIR", vm::target()).env("TIMEOUT", seconds);
        let output = command.output().expect("the script starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    for (machine, value) in [("microvm", "b"), ("hermit", "c")] {
        let words = format!("set /a={value}");
        assert_eq!(status(machine, "60", &words), (Some(0), String::new()));
        assert_eq!(disk.get("/a"), value);
    }
    let says = |(code, said): (Option<i32>, String), value, what: &str| {
        assert!(code == Some(value) && said.contains(what), "{code:?}: {said}");
    };
    says(status("microvm", "60", "frmat"), 1, "exit value 1");
    says(status("microvm", "60", "panic"), 4, "exit value 4");
    says(status("microvm", "never", ""), 2, "TIMEOUT is whole seconds");
    says(status("vax", "60", ""), 2, "the machine is q35, microvm or hermit");
}

fn the_guest_formats_a_blank_disk_and_no_other(machine: Config<'_>) {
    let blank = Disk::blank();
    let end = machine.run(&blank.path, "format set /a=b");
    end.is_done();
    end.says("format: made a store");
    assert_eq!(blank.get("/a"), "b");

    let foreign = Disk::blank();
    let mut bytes = vec![0; usize::try_from(SIZE).unwrap()];
    bytes[1080] = 0x53; // where an ext4 file system has its magic number
    bytes[1081] = 0xef;
    fs::write(&foreign.path, &bytes).unwrap();
    machine.run(&foreign.path, "format").is_failure(3, "make a store: the device holds data");
    assert!(fs::read(&foreign.path).unwrap() == bytes, "the guest wrote to a foreign disk");
}

fn a_disk_without_a_store_is_refused(machine: Config<'_>) {
    let disk = Disk::blank();
    machine.run(&disk.path, "get /a").is_failure(3, "there is no Nerite store on the device");
    let bytes = fs::read(&disk.path).unwrap();
    assert!(bytes.iter().all(|&byte| byte == 0), "the guest wrote to a disk without a store");
}

fn a_store_is_never_formatted_again(machine: Config<'_>) {
    let disk = Disk::formatted();
    disk.set("/a", "b");
    let end = machine.run(&disk.path, "format get /a");
    end.is_done();
    end.says("/a = b");
}

/// Every boot overwrites the keys of the one before, so a lost write can't hide behind an older one.
fn acknowledged_keys_survive_a_kill(machine: Config<'_>) {
    let disk = Disk::formatted();
    // For every key, the boot that wrote it last.
    let mut written: Vec<u64> = Vec::new();
    for (boot, kill_at) in [(1, 60), (2, 1), (3, 150)] {
        let mut vm = machine.start(&disk.path, "stress 1000000");
        while vm.line().expect("it goes on for ever") != format!("ack {kill_at}") {}
        let unread = vm.kill();
        // The last line may be cut short, and then tells a smaller number.
        let unread = unread.iter().filter_map(|line| line.strip_prefix("ack ")?.parse().ok());
        let acknowledged = unread.fold(kill_at, usize::max) + 1;
        written.resize(written.len().max(acknowledged), 0);
        written[..acknowledged].fill(boot);

        let store = disk.open();
        assert_eq!(store.get(&key("/boot/count")).unwrap(), boot.to_string().as_bytes());
        for (number, last) in written.iter().enumerate() {
            let found = store.get(&key(&format!("/stress/{number}"))).unwrap();
            let found = String::from_utf8(found).unwrap();
            // The first one without an acknowledgement may be there or not.
            let new = number == acknowledged && found == format!("{number} of boot {boot}");
            assert!(new || found == format!("{number} of boot {last}"), "{found}, not {last}");
        }
    }
    machine.run(&disk.path, "get /stress/0").is_done();
    assert_eq!(disk.get("/boot/count"), "4");
}

fn a_read_only_disk_is_only_read(machine: Config<'_>) {
    let disk = Disk::formatted();
    disk.set("/a", "b");
    let bytes = fs::read(&disk.path).unwrap();
    let machine = Config { drive: ",readonly=on", ..machine };
    let end = machine.run(&disk.path, "get /a");
    end.is_done();
    end.says("boot: not counted, the disk is read-only");
    end.says("/a = b");
    machine.run(&disk.path, "set /a=c").is_failure(1, "the disk is read-only");
    assert!(fs::read(&disk.path).unwrap() == bytes, "a read-only disk has changed");
}

fn a_disk_of_4_kib_blocks_and_little_memory_will_do(machine: Config<'_>) {
    let disk = Disk::blank();
    let machine = Config {
        memory: "32M",
        device: ",logical_block_size=4096,physical_block_size=4096",
        ..machine
    };
    let end = machine.run(&disk.path, "format stress 10");
    end.is_done();
    assert!(end.printed.contains("blocks of 4096 (physical 4096)"), "{}", end.printed);
    assert_eq!(disk.get("/stress/9"), "9 of boot 1");
}

fn a_disk_without_a_flush_is_refused(machine: Config<'_>) {
    let disk = Disk::formatted();
    let machine = Config { drive: ",cache=writethrough", device: ",config-wce=off", ..machine };
    let end = machine.run(&disk.path, "");
    end.is_failure(3, "open the store");
    assert!(end.printed.contains("NO flush"), "{}", end.printed);
}

fn a_disk_without_a_volatile_cache_needs_none(machine: Config<'_>) {
    let disk = Disk::formatted();
    let machine = Config { drive: ",cache=writethrough", ..machine };
    let end = machine.run(&disk.path, "set /a=b");
    end.is_done();
    assert!(end.printed.contains("write-through"), "{}", end.printed);
    assert_eq!(disk.get("/a"), "b");
}

/// The disk is small, so its segments are used again and again. On the host its file gets holes.
fn what_was_freed_is_discarded(machine: Config<'_>) {
    const SIZE: usize = 256 << 10;
    let disk = Disk::blank();
    fs::write(&disk.path, vec![0; SIZE]).unwrap();
    let allocated = || fs::metadata(&disk.path).unwrap().blocks() * 512;
    let before = allocated();
    let machine = Config { drive: ",cache=writeback,discard=unmap", ..machine };
    machine.run(&disk.path, &format!("format {}", "stress 100 ".repeat(8))).is_done();
    assert!(allocated() < before, "{} of {before} bytes are allocated", allocated());
    for number in 0..100 {
        assert_eq!(disk.get(&format!("/stress/{number}")), format!("{number} of boot 1"));
    }
}

fn a_word_that_makes_no_sense_ends_the_boot(machine: Config<'_>) {
    let disk = Disk::blank();
    machine.run(&disk.path, "frmat").is_failure(1, "unknown word \"frmat\"");
}

fn a_panic_and_a_fault_end_the_boot(machine: Config<'_>) {
    let disk = Disk::blank();
    machine.run(&disk.path, "panic").is_failure(4, "panic: the command line asked for it");
    match machine.machine {
        Machine::Q35 | Machine::Microvm => {
            machine.run(&disk.path, "fault").is_failure(5, "fault: CPU exception 6");
        }
        // Hermit's kernel reports it, ends the thread, and waits for others.
        Machine::Hermit => {
            let mut vm = machine.start(&disk.path, "fault");
            while !vm.line().expect("it does not end").contains("Invalid Opcode") {}
        }
    }
}

/// Firmware puts the disk's registers beyond 4 GiB when another device needs so much room below.
#[test]
fn device_registers_above_4_gib_are_reached() {
    let disk = Disk::formatted();
    for (machine, value) in [(Machine::Q35, "b"), (Machine::Hermit, "c")] {
        let more = &["-device", "pci-testdev,membar=8G"];
        let machine = Config { more, ..Config::new(machine) };
        machine.run(&disk.path, &format!("set /a={value}")).is_done();
        assert_eq!(disk.get("/a"), value);
    }
}

/// `unikernel-app/hermit/examples/`: `std`'s own end, which Hermit's kernel makes 1.
#[test]
fn an_application_of_ones_own_keeps_its_store_on_hermit() {
    let disk = Disk::formatted();
    let machine = Config { image: "examples/boot_count", ..Config::new(Machine::Hermit) };
    for boots in ["1", "2"] {
        let end = machine.run(&disk.path, "");
        end.says(&format!("boots: {boots}"));
        assert_eq!(end.status.code(), Some(3), "{}", end.printed);
        assert_eq!(disk.get("/example/boots"), boots);
    }
}

#[test]
fn the_loader_of_hermit_says_what_it_lacks() {
    let disk = Disk::blank();
    let loader = Config { image: "nerite-loader", ..Config::new(Machine::Q35) };
    loader.run(&disk.path, "").is_failure(4, "the loader needs an application (-initrd)");
    let image = vm::bare("nerite-unikernel");
    let more = &["-initrd", image.to_str().unwrap()];
    let foreign = Config { more, ..loader }.run(&disk.path, "");
    foreign.is_failure(4, "the application is none for Hermit");
}

/// Without what `strip` takes away: what is loaded, to the last byte of it in the file.
#[test]
fn the_image_is_small() {
    const MAX: u64 = 300 << 10;
    let image = fs::read(vm::bare("nerite-unikernel")).unwrap();
    let number = |at: usize, len: usize| {
        image[at..at + len].iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    let at = |number: u64| usize::try_from(number).unwrap();
    // ELF64: where the program headers are, the size of one, how many.
    let (headers, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let ends = (0..count).map(|index| {
        let header = at(headers + index * size);
        number(header + 8, 8) + number(header + 32, 8)
    });
    let loaded = ends.max().unwrap();
    assert!((10_000..=MAX).contains(&loaded), "{loaded} bytes are loaded, {MAX} are allowed");
}
