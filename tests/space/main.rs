//! `space`: simulates how a store uses its segments, to choose the cleaner's policy. Prints the tables
//! of `docs/design.md`, section "Space".

#![forbid(unsafe_code)]
#![expect(clippy::cast_precision_loss, reason = "what is told has three digits")]

mod churn;
mod cleaner;
mod config;
mod load;
mod segments;
mod store;
mod tables;

fn main() {
    tables::policies();
    tables::costs();
    tables::small();
}

#[cfg(test)]
mod tests {
    use crate::churn::{churn, refill};
    use crate::config::Config;
    use crate::load::Skew;
    use crate::tables::admitted;

    #[test]
    fn the_policy_always_makes_room_and_writes_no_more_than_the_design_says() {
        for (percent, most) in [(200, 220), (150, 290), (125, 470)] {
            for skew in [Skew::Uniform, Skew::Zipf, Skew::HotCold] {
                let outcome = churn(Config::host(100_000, percent), skew, 10);
                let written = outcome.expect("room for every commit").written;
                let cost = 100 * (written.log + written.upkeep()) / written.user;
                assert!(cost <= most, "{percent} {skew:?}: {cost}");
            }
        }
    }

    #[test]
    fn what_is_admitted_fits_whatever_is_done_with_it() {
        for kib in [64, 128, 256] {
            for block in [512, 4096] {
                let keys = admitted(kib << 10, block);
                assert!(keys > 0, "{kib} {block}");
                refill(Config::small(kib << 10, block, keys), 5, 3).expect("room for every commit");
            }
        }
    }
}
