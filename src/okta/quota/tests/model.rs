//! Okta's side as the limiter must bear it, written without looking at the limiter.

use crate::okta::quota::Headers;

/// Random numbers that a seed repeats (splitmix64).
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn unit(&mut self) -> f64 {
        (self.roll() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + (self.unit() * (high - low) as f64) as i64
    }

    pub fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[(self.roll() % of.len() as u64) as usize]
    }

    /// Around `median`, now and then several times as long: log-normal, sigma 0.35, as public collectors see it.
    pub fn latency(&mut self, median: i64) -> i64 {
        let normal = (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (std::f64::consts::TAU * self.unit()).cos();
        ((median as f64 * (0.35 * normal).exp()) as i64).max(2)
    }

    /// The wait until something that happens every `mean` ms on average.
    pub fn gap(&mut self, mean: i64) -> i64 {
        ((-(1.0 - self.unit()).ln() * mean as f64) as i64).max(1)
    }
}

#[derive(Debug, Clone, Copy)]
pub enum Rounding {
    Up,
    Down,
    Nearest,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Opens {
    /// With the first call after the last one has ended.
    WithACall,
    /// Every minute.
    OnAGrid,
}

/// What Okta's side is like in one run.
#[derive(Debug, Clone, Copy)]
pub struct Nature {
    pub limit: u32,
    /// The part of the limit that one client may use; its headers then show that as the limit.
    pub principal: Option<f64>,
    /// The part of the limit that all other clients together may use.
    pub others_part: f64,
    pub rounding: Rounding,
    pub opens: Opens,
    /// Okta's clock minus ours, in ms, and how fast that grows.
    pub ahead: i64,
    pub drift_ppm: i64,
}

/// A window that has ended, or the open one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    pub opened: i64,
    pub end: i64,
    pub ours: u32,
    pub others: u32,
    /// Calls of ours that were refused.
    pub refused: u32,
}

pub struct Bucket {
    pub nature: Nature,
    pub windows: Vec<Tally>,
    /// Calls per window that are let through in secret, whatever the headers say.
    pub hidden: Option<u32>,
}

const WINDOW: i64 = 60_000;

impl Bucket {
    pub fn new(nature: Nature) -> Self {
        Self { nature, windows: Vec::new(), hidden: None }
    }

    pub fn clock(&self, at: i64) -> i64 {
        at + self.nature.ahead + at * self.nature.drift_ppm / 1_000_000
    }

    fn window(&mut self, at: i64) -> &mut Tally {
        if self.windows.last().is_none_or(|w| w.end <= at) {
            let opened = match self.nature.opens {
                Opens::WithACall => at,
                Opens::OnAGrid => at - (at + self.nature.ahead).rem_euclid(WINDOW),
            };
            self.windows.push(Tally { opened, end: opened + WINDOW, ..Tally::default() });
        }
        self.windows.last_mut().unwrap()
    }

    /// Another client calls.
    pub fn other(&mut self, at: i64) {
        let limit = self.nature.limit;
        let most = (f64::from(limit) * self.nature.others_part) as u32;
        let window = self.window(at);
        if window.ours + window.others < limit && window.others < most {
            window.others += 1;
        }
    }

    /// We call.
    pub fn call(&mut self, at: i64) -> Headers {
        let (org_limit, hidden) = (self.nature.limit, self.hidden);
        let limit = self.nature.principal.map_or(org_limit, |part| (f64::from(org_limit) * part) as u32);
        let principal = self.nature.principal.is_some();
        let window = self.window(at);
        let counted = |w: &Tally| if principal { w.ours } else { w.ours + w.others };
        let served = counted(window) < limit
            && window.ours + window.others < org_limit
            && hidden.is_none_or(|most| window.ours < most);
        if served {
            window.ours += 1;
        } else {
            window.refused += 1;
        }
        let (used, end) = (counted(window), window.end);
        Headers {
            status: if served { 200 } else { 429 },
            limit: Some(limit),
            remaining: Some(limit.saturating_sub(used)),
            reset: Some(self.reset(end)),
            date: Some(self.clock(at).div_euclid(1000)),
        }
    }

    fn reset(&self, end: i64) -> i64 {
        let end = self.clock(end);
        match self.nature.rounding {
            Rounding::Up => -(-end).div_euclid(1000),
            Rounding::Down => end.div_euclid(1000),
            Rounding::Nearest => (end + 500).div_euclid(1000),
        }
    }

    pub fn refused(&self) -> u32 {
        self.windows.iter().map(|w| w.refused).sum()
    }
}
