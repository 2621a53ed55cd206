//! Which keys are written.

use nerite_tests::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skew {
    Uniform,
    /// Zipf's law with the exponent 0.99.
    Zipf,
    /// Nine of ten writes go to a tenth of the keys.
    HotCold,
}

#[derive(Debug)]
pub(crate) struct Load {
    random: Random,
    skew: Skew,
    /// The share of writes that go to each rank and those before it.
    weights: Vec<f64>,
    /// The key of each rank: those that are written often lie anywhere.
    keys: Vec<usize>,
}

impl Load {
    pub(crate) fn new(skew: Skew, keys: usize) -> Self {
        let mut random = Random::new(1);
        let mut shuffled: Vec<usize> = (0..keys).collect();
        for at in (1..keys).rev() {
            shuffled.swap(at, random.below(at + 1));
        }
        let weights = if skew == Skew::Zipf { zipf(keys) } else { Vec::new() };
        Self { random, skew, weights, keys: shuffled }
    }

    pub(crate) fn key(&mut self) -> usize {
        let count = self.keys.len();
        let rank = match self.skew {
            Skew::Uniform => self.random.below(count),
            Skew::Zipf => {
                let drawn = (self.random.next() >> 11) as f64 / (1u64 << 53) as f64;
                self.weights.partition_point(|weight| *weight < drawn).min(count - 1)
            }
            Skew::HotCold => {
                let hot = (count / 10).max(1);
                if self.random.one_in(10) && hot < count {
                    hot + self.random.below(count - hot)
                } else {
                    self.random.below(hot)
                }
            }
        };
        self.keys[rank]
    }
}

/// The share of writes that go to each rank and those before it.
fn zipf(keys: usize) -> Vec<f64> {
    let mut sum = 0.0;
    let mut weights: Vec<f64> = (1..=keys)
        .map(|rank| {
            sum += (rank as f64).powf(-0.99);
            sum
        })
        .collect();
    for weight in &mut weights {
        *weight /= sum;
    }
    weights
}
