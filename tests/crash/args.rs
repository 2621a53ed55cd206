//! What `crash` is told.

use clap::Parser;
use nerite_tests::crash::Bounds;
use std::time::Duration;

/// Looks for crashes that a store does not survive.
#[derive(Debug, Parser)]
#[command(name = "crash")]
pub(crate) struct Args {
    /// A script to run instead, as `crash` prints it
    pub(crate) script: Option<String>,
    /// Explore for so long
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<u64>,
    /// Explore so many workloads
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    workloads: u64,
    /// The first workload
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Losses of power in a row
    #[arg(long, default_value_t = 2)]
    depth: usize,
    /// Fail if fewer states were seen
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) least_states: u64,
    /// Fail if fewer states were seen after two losses of power
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    pub(crate) least_depth2: u64,
    /// Plant this bug first
    #[arg(long, value_name = "BUG")]
    pub(crate) planted: Option<String>,
    /// Show that each bug that can be planted is found
    #[arg(long)]
    pub(crate) gate: bool,
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Until {
    /// After so many workloads.
    Workloads(u64),
    /// After the workloads that have been begun by then.
    Elapsed(Duration),
}

impl Args {
    pub(crate) fn until(&self) -> Until {
        match self.seconds {
            Some(seconds) => Until::Elapsed(Duration::from_secs(seconds)),
            None => Until::Workloads(self.workloads),
        }
    }

    pub(crate) fn bounds(&self) -> Bounds {
        Bounds { depth: self.depth.max(1), ..Bounds::default() }
    }
}
