//! What all commands have: `-v`, `--color`, and what is made of the arguments.

use crate::run::{Image, TOOL, failed, succeeded};
use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};

/// The lines that a command that succeeds says on standard error.
fn says(command: &mut Command) -> Vec<String> {
    let output = command.output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn verbose_tells_what_is_opened_then_flushes_then_requests_and_leaves_the_data_alone() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    assert!(says(&mut image.command("get", ["k"])).is_empty());
    let told = says(&mut image.command("get", ["k", "-v"]));
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("nerite: ") && told[0].contains(": opened to read, store "));
    let told = says(&mut image.command("set", ["k", "w", "-vv"]));
    assert!(told.iter().any(|line| line == "nerite: flush"), "{told:?}");
    assert!(told.last().unwrap().ends_with(": closed"));
    assert!(!told.iter().any(|line| line.starts_with("nerite: write ")));
    let told = says(&mut image.command("set", ["k", "x", "-vvv"]));
    assert!(told.iter().any(|line| line == "nerite: write 4096 bytes at 24576"), "{told:?}");
    let output = image.command("get", ["k", "-vvv"]).output().unwrap();
    assert_eq!(output.stdout, b"x");
}

#[test]
fn colours_are_for_terminals_unless_asked_for_or_forbidden() {
    let image = Image::with_store("1M");
    let escapes = |args: &[&str], env: &[(&str, &str)]| {
        let output = image.command("map", args).envs(env.iter().copied()).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!escapes(&[], &[]), "it is no terminal");
    assert!(
        escapes(&["--color", "always"], &[]) && escapes(&["--color=always"], &[("NO_COLOR", "1")])
    );
    assert!(!escapes(&["--color", "never"], &[]) && !escapes(&["--color", "auto"], &[]));
    let output = image.command("get", ["k", "--color", "always"]).output().unwrap();
    assert!(output.stderr.starts_with(b"\x1b[1;31mnerite:\x1b[0m "));
    let message = image.fails(2, "map", ["--color", "sometimes"]);
    assert!(message.contains("[possible values: auto, always, never]"), "{message}");
}

/// Runs the tool without an image.
fn tool(args: &[&str]) -> Command {
    let mut command = Command::new(TOOL);
    command.args(args).stdin(Stdio::null());
    command
}

#[test]
fn shells_complete_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let text = succeeded(&tool(&["completions", shell]).output().unwrap());
        let text = String::from_utf8(text).unwrap();
        for verb in ["create", "salvage", "rm-range", "journal", "delete-range"] {
            assert!(text.contains(verb), "{shell}: {verb}");
        }
    }
    failed(2, &tool(&["completions", "sh"]).output().unwrap());
    failed(2, &tool(&["completions"]).output().unwrap());
}

#[test]
fn bash_takes_the_completions() {
    let text = succeeded(&tool(&["completions", "bash"]).output().unwrap());
    let image = Image::of(&text);
    let script = format!(
        "source '{}'; COMP_WORDS=(nerite sal); COMP_CWORD=1; _nerite nerite sal nerite; \
         echo \"${{COMPREPLY[@]}}\"",
        image.path().display()
    );
    let output = Command::new("bash").args(["--norc", "-c", &script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "salvage\n");
}

#[test]
fn every_command_has_a_page_in_the_manual() {
    let image = Image::missing();
    let folder = image.beside("man");
    let mut command = tool(&["man"]);
    assert!(succeeded(&command.arg(&folder).output().unwrap()).is_empty());
    let page = |name: &str| fs::read_to_string(folder.join(format!("{name}.1"))).unwrap();
    assert!(page("nerite").contains("EXTRA") || page("nerite").contains("Exit status"));
    for verb in ["get", "log", "map", "salvage", "check", "rm-range", "lump-delete-range"] {
        let text = page(&format!("nerite-{verb}"));
        assert!(text.contains(".SH NAME") && text.contains(".SH SYNOPSIS"), "{verb}");
    }
    // A folder that can't be made.
    failed(4, &tool(&["man", "/dev/null/man"]).output().unwrap());
}

/// `head` and its like end a pipe early: no message, and no success.
#[test]
fn a_closed_pipe_is_quiet_for_every_command_that_prints_much() {
    // Each prints more than a pipe holds.
    let image = Image::with_store("64M");
    let mut load = String::from("{\"dump\":\"nerite\",\"version\":1}\n");
    for row in 0..20_000 {
        writeln!(load, "{{\"key\":\"{row:05}\",\"value\":\"v\"}}").unwrap();
    }
    load += "{\"end\":true,\"rows\":20000}\n";
    let rows = image.beside("rows");
    fs::write(&rows, load).unwrap();
    image.ok("load", [&rows]);
    image.ok("set", ["last", "v"]);
    for (verb, args) in
        [("log", &[][..]), ("log", &["--json"]), ("scan", &[]), ("dump", &[]), ("ls", &[])]
    {
        let mut command = image.command(verb, args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(4), &b""[..]), "{verb}");
    }
}

/// A file that nobody may write to: what only reads works, and all else says why not.
#[test]
fn a_read_only_image_is_read_and_not_written() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    let before = image.bytes();
    // The superuser may write to any file: so ask for the session that does not.
    let output = crate::run::with_input(
        &mut image.command("open", ["--read-only"]),
        b"get k\nset k w\nrm-range a z\ngc\nlog\nmap\ncheck\nlump put 1 x\n",
    );
    let told = String::from_utf8(output.stderr).unwrap();
    let refused = told.lines().filter(|line| line.ends_with("open for reading only")).count();
    assert_eq!((refused, told.lines().count(), output.status.code()), (4, 4, Some(4)), "{told}");
    assert!(output.stdout.starts_with(b"v\nhead: "));
    assert!(image.bytes() == before);
}
