//! Crashes that a store once did not survive, as the explorer told them.

#![forbid(unsafe_code)]

use nerite_tests::crash::replay;

/// Runs a line that the explorer has printed. Where the store does more now before it writes a
/// frame, the cut is that many events later.
#[track_caller]
fn survives(line: &str) {
    let script = line.parse().unwrap_or_else(|error| panic!("{error}"));
    replay(&script).unwrap_or_else(|failure| panic!("{failure}"));
}

/// To make what a crash had left of a frame unreadable, its whole first block was written again.
/// That write tore: the header stayed, and behind it a lost sector became zeros, as the frame has
/// them there. It was whole again, though a mount had found it absent.
#[test]
fn making_remains_unreadable_does_not_complete_them() {
    for fate in ["o", "z", "f", "h8", "t8", "t300", "g1", "n"] {
        survives(&format!(
            "disk 64K block 2048 clock moves deltas large seed 1: \
             set /a%2d 0t1 cut 1 n,f: set /d/z 0h23 cut 1 {fate}"
        ));
    }
}

/// Later one block of the device was written instead. Where that has 4,096 bytes, it could tear too.
#[test]
fn remains_are_not_completed_where_the_device_has_large_blocks() {
    for fates in ["o,z", "z,z", "n,z", "o,o,z", "o,z,o,o,o,o,o,z"] {
        for events in [1, 3, 5] {
            survives(&format!(
                "disk 64K block 4096 clock moves deltas large pages seed 1: \
                 set /a%2d 0t1 cut 1 n,f: set /d/z 0h23 cut {events} {fates}"
            ));
        }
    }
}

/// A frame was made unreadable by its first bytes alone. The next frame, torn behind them, brought
/// them back, and for the rest the two were alike.
#[test]
fn the_start_of_the_next_frame_does_not_complete_remains() {
    survives(
        "disk 96K block 512 clock moves deltas large seed 1003: set /e 964t1 cut 1 n,o,n: \
         set /e 964t58 cut 5 h4,n",
    );
}

/// A header torn behind its epoch is none, and nobody looked at it. The next frame, torn before that
/// place, completed it, and with it the rest of its group.
#[test]
fn the_end_of_the_next_frame_does_not_complete_a_torn_header() {
    survives(
        "disk 128K block 512 clock still deltas large seed 1: \
         set /a 2800t1; mv /a /b cut 1 h100,n,n,n,n,n,n: mv /a /c cut 5 t100",
    );
}

/// The remains were of the second frame of a group, whose first one was whole. The next commit was a
/// group too: its first frame went elsewhere, its second one over the remains.
#[test]
fn no_frame_of_the_next_group_completes_remains() {
    survives(
        "disk 64K block 512 clock still deltas large seed 1006: set /b 1898h13; set /d/x 0h14; \
         mv /b /d cut 1 n,n,n,n,n: mv /b /d/x cut 5 o,o,o,o,o,n",
    );
}

/// Of a header only the start was left, as far as its epoch. The next frame brought the rest.
#[test]
fn the_start_of_a_torn_header_is_destroyed_by_itself() {
    for (first, second) in [("h60", "t56"), ("h70", "t60")] {
        survives(&format!(
            "disk 128K block 512 clock still deltas large seed 1: set /a 2800t1; \
             mv /a /b cut 1 {first},n,n,n,n,n,n: mv /a /c cut 5 {second}"
        ));
    }
}

/// Remains were destroyed by zeros. These, torn, were what the frame lacked.
#[test]
fn what_destroys_remains_is_not_what_they_lacked() {
    survives(
        "disk 64K block 512 clock still deltas large seed 1: set /a 40t1 cut 1 f: \
         set /a 40t2 cut 1 h300: set /b 1t3 cut 1 t290",
    );
}

/// A copy of the superblock could not be read, once. The store was opened by the state in the other
/// slot, and took its own newest one for that of another writer.
#[test]
fn a_copy_that_can_not_be_read_once_is_not_taken_for_stolen() {
    survives(
        "disk 128K block 512 clock moves deltas small seed 7000: fail read 0; open; set /b 0t7; \
         set /d/x 0t8 cut 1: fail read 0; close; set /d/x 0t116 cut 0",
    );
}

/// Two tries of one batch differed in the same way at the ends of two records. The end of the first is
/// followed by the second one's check, and of data that its own check follows the frame's check sees
/// nothing: a frame that was mixed of both tries was whole, and its first record damage.
#[test]
fn a_frame_mixed_of_two_tries_of_one_batch_is_torn_and_not_damaged() {
    survives(
        "disk 64K block 512 clock still deltas large seed 1: \
         batch set /a 600t1 + set /b 600t1 cut 1 o,n,o: \
         batch set /a 600t2 + set /b 600t2 cut 1 n,o,n",
    );
}

/// A crash had left the first frame of a group, and the next mount froze the delta right behind it. The
/// next one froze nothing, since no group ended there: it counted keys by what it took for newer.
#[test]
fn a_delta_that_was_frozen_behind_an_unfinished_group_is_frozen_again() {
    survives(
        "disk 256K block 4096 clock still deltas small pages seed 179: set /d/z 1911t6; \
         mv /d/z /d/e/f; mv /d/e /a; part /d/x 595 0h9; set /b 0h10; batch set /d/z 0t11; open; \
         set /d/z 0t12; mv /d/x /a; batch set /d/z 0t13 + set /e%2d/x 1911t14 + set /d/x 3258t15 \
         + set /d/z 3258h16 + rm /d/e/f cut 1 n,o,o,o,n,n,n: set /q 5t1 cut 3 n",
    );
}

/// Two tries of one commit differed in the places of extents, in the same way in each record. The end
/// of a record was followed by the next one's check: the frame's own check did not see which of the two
/// tries they were of, and a frame that was mixed was taken for damage.
#[test]
fn a_frame_mixed_of_two_tries_of_one_commit_is_torn_and_not_damaged() {
    survives(
        "disk 256K block 4096 clock still deltas large dirty pages worn seed 1010: mv /e /b; \
         set /d/x 6377t4 cut 1 o,o,o,o,o,o,o,o,o,o,o,o,o,o,o,o,n,n,o,n: set /d/x 6377t379 \
         cut 5 o,o,o,o,o,o,o,o,o,o,o,o,o,o,o,o,n,t40,n",
    );
}

/// A frame was whole and an extent that it placed was lost. The next one went to another segment, and
/// the first was still whole: once it was known how far the chain went, it was taken for a part of it.
#[test]
fn a_frame_without_its_extents_is_not_taken_when_the_chain_has_gone_on_elsewhere() {
    survives(
        "disk 256K block 512 clock still deltas large seed 7004: set /b 1976t2; \
         set /d/e/f 3545t3 cut 1 o,o,o,o,o,o,o,o,n: set /a 1976t262; close cut 0",
    );
}

/// A torn frame had a whole header, and the mount that wrote elsewhere put zeros over that, where the
/// next frame of the chain went: as if it had written over what it had just acknowledged.
#[test]
fn what_is_left_of_a_frame_is_written_over_by_frames_and_nothing_else() {
    survives(
        "disk 128K block 512 clock moves deltas small discards worn seed 7000: \
         part /b 735 477h1 cut 5 n: rm /d/e/f; mv /d/z /d/x cut 0",
    );
}
