//! What is simulated: a load's sizes, the engine's limits, and the policies to be compared.

pub(crate) const KEY_LEN: usize = 24;
pub(crate) const HEADER_LEN: usize = 140;
pub(crate) const NODE_LEN: usize = 4096;

/// Which of the segments behind the tail is cleaned next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Victim {
    /// The one with the least live bytes.
    Greedy,
    /// The highest (1 - u) * age / (1 + u), u being the live share.
    CostBenefit,
}

/// Where live records of a victim go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Survivors {
    /// To segments of their own.
    Apart,
    /// To the chain, as records like those of commits.
    Chain,
}

/// When what the newest state of the superblock does not name may be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// When neither slot names it: one flip later.
    BothSlots,
    NewestSlot,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Config {
    pub(crate) keys: usize,
    pub(crate) value_len: usize,
    /// Values lie in the leaves.
    pub(crate) inline: bool,
    pub(crate) keys_per_leaf: usize,
    pub(crate) block: usize,
    /// Bytes of the device.
    pub(crate) device: usize,
    /// Changes in a commit.
    pub(crate) batch: usize,
    pub(crate) delta_entries: usize,
    pub(crate) tail_bytes: usize,
    pub(crate) step_leaves: usize,
    pub(crate) retention: Retention,
    pub(crate) victim: Victim,
    pub(crate) survivors: Survivors,
    /// Segments that survivors fill in one piece of work.
    pub(crate) together: usize,
    /// Below so many free segments in 1,000 there is cleaning that is not urgent.
    pub(crate) low_permille: usize,
    /// Free segments that a commit leaves. One that only removes leaves half of them.
    pub(crate) reserve: usize,
    /// The share of `tail_bytes` at which the delta is frozen, and leaves that a change pays for.
    pub(crate) freeze_percent: usize,
    pub(crate) leaves_a_change: usize,
    /// Bytes of a record that tells of a move.
    pub(crate) move_len: usize,
}

impl Config {
    /// Keys of 24 bytes with values of 400, at a host's defaults and under the chosen policy, on
    /// `percent` of what they take. The tail is at most a quarter of the device.
    pub(crate) fn host(keys: usize, percent: usize) -> Self {
        Self {
            keys,
            value_len: 400,
            inline: false,
            keys_per_leaf: 64,
            block: 4096,
            device: 0,
            batch: keys.div_ceil(100),
            delta_entries: 64 << 10,
            tail_bytes: 16 << 20,
            step_leaves: 256,
            retention: Retention::BothSlots,
            victim: Victim::Greedy,
            survivors: Survivors::Chain,
            together: 4,
            low_permille: 0,
            reserve: 12,
            freeze_percent: 89,
            leaves_a_change: 8,
            move_len: 44,
        }
        .on(percent)
    }

    /// The same with values of 100 bytes in the leaves.
    pub(crate) fn inline(keys: usize, percent: usize) -> Self {
        let host = Self::host(keys, percent);
        Self { value_len: 100, inline: true, keys_per_leaf: 20, ..host }.on(percent)
    }

    /// So many single sets of 400 bytes on a device of `device`, as a guest.
    pub(crate) fn small(device: usize, block: usize, keys: usize) -> Self {
        let (delta_entries, step_leaves, tail_bytes) = (8 << 10, 64, (8 << 20).min(device / 4));
        let host = Self { keys, batch: 1, block, device, ..Self::host(100, 100) };
        let reserve = 12.min(3 + host.segments() / 8);
        Self { delta_entries, tail_bytes, step_leaves, reserve, ..host }
    }

    /// What of its segments a store may fill: the tree counts twice, since a round writes it anew
    /// while both slots name the old one.
    pub(crate) fn admits(&self) -> bool {
        let spare = self.segments().saturating_sub(self.reserve + 4);
        let counted = self.live() + self.leaves() * NODE_LEN;
        counted <= spare * self.segment_len() * 95 / 100
    }

    fn on(self, percent: usize) -> Self {
        let device = self.live() * percent / 100;
        Self { device, tail_bytes: self.tail_bytes.min(device / 4), ..self }
    }

    pub(crate) fn record_len(&self) -> usize {
        26 + KEY_LEN + self.value_len + 1
    }

    pub(crate) fn user_len(&self) -> usize {
        KEY_LEN + self.value_len
    }

    pub(crate) fn leaves(&self) -> usize {
        self.keys.div_ceil(self.keys_per_leaf)
    }

    /// Live bytes when all keys have a value.
    pub(crate) fn live(&self) -> usize {
        let records = if self.inline { 0 } else { self.keys * self.record_len() };
        records + self.leaves() * NODE_LEN
    }

    pub(crate) fn segment_len(&self) -> usize {
        let wanted = (self.device / 256).max(1);
        let rounded = 1 << wanted.ilog2();
        rounded.clamp(NODE_LEN.max(self.block), 1 << 20)
    }

    pub(crate) fn segments(&self) -> usize {
        let slots = if self.device < 256 << 10 { 2 } else { 4 } * 4096;
        (self.device - slots) / self.segment_len()
    }

    pub(crate) fn low(&self) -> usize {
        self.segments() * self.low_permille / 1000
    }
}
