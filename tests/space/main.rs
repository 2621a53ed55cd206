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
    use crate::churn::churn;
    use crate::config::Config;
    use crate::load::Skew;

    #[test]
    fn the_policy_always_makes_room_and_writes_what_the_design_says() {
        for (percent, most) in [(200, 220), (150, 350), (125, 600)] {
            for skew in [Skew::Uniform, Skew::Zipf, Skew::HotCold] {
                let written = churn(Config::host(10_000, percent), skew, 10).map(|it| it.written);
                let written = written.expect("room for every commit");
                let cost = 100 * (written.log + written.upkeep()) / written.user;
                assert!(cost <= most, "{percent} {skew:?}: {cost}");
            }
        }
    }
}
