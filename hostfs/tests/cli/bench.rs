//! `bench`: that it measures, not what.

use crate::run::{Image, TOOL, failed, succeeded};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn bench(file: &Path, args: &[&str]) -> Output {
    Command::new(TOOL).arg("bench").arg(file).args(args).output().unwrap()
}

#[test]
fn a_table_has_a_row_for_each_kind_of_work_and_the_file_is_gone() {
    let image = Image::missing();
    let output = bench(image.path(), &["--count", "20", "--size", "1K", "--threads", "3"]);
    let text = String::from_utf8(succeeded(&output)).unwrap();
    let first: Vec<_> =
        text.lines().map(|line| line.split_ascii_whitespace().next().unwrap()).collect();
    assert_eq!(first, ["work", "write", "read", "random-read", "mixed"]);
    assert!(text.lines().skip(1).all(|line| line.split_ascii_whitespace().nth(1) == Some("20")));
    assert!(!image.path().exists());
}

#[test]
fn the_picture_has_a_curve_for_each_kind_of_work_beside_the_table() {
    let image = Image::missing();
    let picture = image.beside("bench.svg");
    let output = bench(image.path(), &["--count", "5", "--svg", picture.to_str().unwrap()]);
    assert_eq!(String::from_utf8(succeeded(&output)).unwrap().lines().count(), 5);
    let svg = fs::read_to_string(picture).unwrap();
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert_eq!(svg.matches("<polyline ").count(), 4);
    for work in ["write", "read", "random-read", "mixed"] {
        assert!(svg.contains(&format!(">{work}</text>")), "{work}");
    }
}

#[test]
fn json_is_an_object_a_line() {
    let image = Image::missing();
    let output = bench(image.path(), &["--count", "5", "--seed", "7", "--json"]);
    let text = String::from_utf8(succeeded(&output)).unwrap();
    assert_eq!(text.lines().count(), 4);
    for line in text.lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!((&object["count"], &object["seed"]), (&5.into(), &7.into()));
        assert!(object["calls_per_second"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn what_is_there_is_never_measured_on() {
    let image = Image::with_store("1M");
    image.ok("set", ["k", "v"]);
    let before = image.bytes();
    let message = failed(4, &bench(image.path(), &["--count", "5"]));
    assert!(message.ends_with("can't create it: File exists (os error 17)"), "{message}");
    assert!(image.bytes() == before);
    for args in [["--count", "0"], ["--count", "x"], ["--threads", "0"], ["--size", "1X"]] {
        failed(2, &bench(&image.beside("new"), &args));
        assert!(!fs::exists(image.beside("new")).unwrap());
    }
}
