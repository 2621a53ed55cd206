//! `open` at a terminal.

use crate::run::Image;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::File;
use std::io::{Read, Write};
use std::process::Child;

/// A session at a pseudo-terminal, and the end at which somebody sits.
struct Terminal {
    child: Child,
    desk: File,
    /// What was shown since the last look.
    shown: String,
}

impl Terminal {
    fn open(image: &Image) -> Self {
        let desk = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&desk).unwrap();
        unlockpt(&desk).unwrap();
        let name = ptsname(&desk, Vec::new()).unwrap();
        let options = File::options().read(true).write(true).clone();
        let end = options.open(name.to_str().unwrap()).unwrap();
        let [stdin, stdout] = [(); 2].map(|()| end.try_clone().unwrap());
        let mut command = image.command("open", [""; 0]);
        command.env("TERM", "xterm").stdin(stdin).stdout(stdout).stderr(end);
        let child = command.spawn().unwrap();
        Self { child, desk: File::from(desk), shown: String::new() }
    }

    /// Types this.
    fn types(&mut self, keys: &str) {
        self.desk.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and gives all that was shown up to it.
    #[track_caller]
    fn sees(&mut self, text: &str) -> String {
        loop {
            if let Some(at) = self.shown.find(text) {
                return self.shown.drain(..at + text.len()).collect();
            }
            let mut buffer = [0; 4096];
            let read = self.desk.read(&mut buffer).unwrap_or(0);
            assert!(read > 0, "it has ended, after {:?}", self.shown);
            self.shown += &String::from_utf8_lossy(&buffer[..read]);
        }
    }

    fn ends_with(mut self) -> i32 {
        // Until the other end is closed, which is an error here.
        while self.desk.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {}
        self.child.wait().unwrap().code().unwrap()
    }
}

#[test]
fn somebody_types_and_sees_and_mistypes_and_leaves() {
    let image = Image::with_store("1M");
    let mut terminal = Terminal::open(&image);
    terminal.sees("nerite> ");
    terminal.types("put net/host gateway\r");
    terminal.sees("durable");
    terminal.sees("nerite> ");
    terminal.types("get net/host\r");
    terminal.sees("gateway\r\n");
    terminal.sees("nerite> ");
    terminal.types("get nothing\r");
    terminal.sees("/nothing is not found");
    terminal.sees("nerite> ");
    // Ctrl-C drops the line, whatever is on it.
    terminal.types("rm /\x03");
    terminal.sees("nerite> ");
    terminal.types("get net/host\r");
    terminal.sees("gateway\r\n");
    terminal.sees("nerite> ");
    // Ctrl-D on an empty line leaves.
    terminal.types("\x04");
    // A failure was shown; the session itself has not failed.
    assert_eq!(terminal.ends_with(), 0);
    assert_eq!(image.ok("get", ["net/host"]), b"gateway");
}

#[test]
fn the_tabulator_completes_commands_and_keys_and_the_arrow_brings_lines_back() {
    let image = Image::with_store("1M");
    image.ok("set", ["network/the gateway", "10.0.0.1"]);
    let mut terminal = Terminal::open(&image);
    terminal.sees("nerite> ");
    terminal.types("ge\tnet\tthe\t\r");
    terminal.sees("10.0.0.1\r\n");
    terminal.sees("nerite> ");
    terminal.types("\x1b[A\r");
    terminal.sees("10.0.0.1\r\n");
    terminal.sees("nerite> ");
    terminal.types("exit\r");
    assert_eq!(terminal.ends_with(), 0);
}
