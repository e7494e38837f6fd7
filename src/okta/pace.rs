use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// What time it is, and how fast it goes: as on this machine for a real org, or many times faster for a simulated one
/// that lives a minute a second. Windows, pauses and tokens of such an org go by its time, so ours must go along.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    begun: Instant,
    /// The time of day when it began.
    begun_ms: i64,
    rate: f64,
}

/// Between these every span that is waited for can be reckoned with.
const LEAST_RATE: f64 = 1e-3;
const MOST_RATE: f64 = 1e5;

/// Added to a sleep, so that it never ends a rounding error before its time and finds that it must sleep again.
const ROUNDING: Duration = Duration::from_micros(1);

impl Pace {
    /// The pace of this machine.
    pub fn real() -> Self {
        Self::times(1.0)
    }

    /// So many times the pace of this machine, beginning at its time of day. A rate that is no positive number is 1; one
    /// beyond a thousandth or a hundred thousand is brought back.
    pub fn times(rate: f64) -> Self {
        let rate = if rate > 0.0 { rate.clamp(LEAST_RATE, MOST_RATE) } else { 1.0 };
        Self { begun: Instant::now(), begun_ms: system_ms(), rate }
    }

    /// A pace that begins at a chosen time of day, so that a test is the same each time.
    #[cfg(test)]
    pub fn begun_at(self, begun_ms: i64) -> Self {
        Self { begun_ms, ..self }
    }

    /// How many times as fast as on this machine time goes.
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Milliseconds since the Unix epoch by a clock that never jumps or goes back; it was right when it began.
    pub fn steady_ms(&self) -> i64 {
        self.begun_ms.saturating_add((self.since(self.begun).as_secs_f64() * 1e3) as i64)
    }

    /// Milliseconds since the Unix epoch by the machine's clock, which may be set; at another rate than 1, the steady
    /// clock, as there is no other.
    pub fn wall_ms(&self) -> i64 {
        if self.is_real() { system_ms() } else { self.steady_ms() }
    }

    /// Time that has passed since a moment of the machine.
    pub fn since(&self, moment: Instant) -> Duration {
        let passed = moment.elapsed();
        if self.is_real() { passed } else { scaled(passed, self.rate) }
    }

    /// How long the machine takes for so much of this time.
    pub fn machine_time(&self, span: Duration) -> Duration {
        if self.is_real() { span } else { scaled(span, 1.0 / self.rate) }
    }

    /// Sleeps for so much of this time.
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(self.machine_time(span)).await;
    }

    /// Sleeps until the steady clock shows this time; not at all if that is past.
    pub async fn sleep_until(&self, steady_ms: i64) {
        let span = u64::try_from(steady_ms.saturating_sub(self.begun_ms)).unwrap_or(0);
        let passed = self.machine_time(Duration::from_millis(span)) + ROUNDING;
        match self.begun.checked_add(passed) {
            Some(moment) => tokio::time::sleep_until(moment).await,
            None => std::future::pending().await,
        }
    }

    fn is_real(&self) -> bool {
        self.rate == 1.0
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self::real()
    }
}

/// A span times a positive factor; the longest there is where that is too long.
fn scaled(span: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(span.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

fn system_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn time_goes_as_fast_as_it_is_told_to() {
        for (rate, machine_ms) in [(1.0, 60_000), (60.0, 1_000), (0.5, 120_000), (f64::NAN, 60_000), (-3.0, 60_000)] {
            let (pace, begun) = (Pace::times(rate), Instant::now());
            let at_first = pace.steady_ms();
            pace.sleep(Duration::from_secs(60)).await;
            assert_eq!(begun.elapsed().as_millis(), machine_ms, "{rate}");
            assert!((pace.steady_ms() - at_first - 60_000).abs() <= 1, "{rate}");
            assert!((pace.since(begun).as_secs_f64() - 60.0).abs() < 1e-3, "{rate}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_until_some_time_does_not_end_before_it() {
        let pace = Pace::times(60.0);
        for step in [1, 7, 59, 61, 999, 60_000, -5] {
            let wanted = pace.steady_ms() + step;
            pace.sleep_until(wanted).await;
            // The machine's timers have a millisecond.
            assert!((wanted..=wanted + 120).contains(&pace.steady_ms()), "{step}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn only_an_unreal_pace_has_a_time_of_day_of_its_own() {
        let (real, fast) = (Pace::real(), Pace::times(60.0));
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(fast.wall_ms(), fast.steady_ms());
        assert!(real.wall_ms() < real.steady_ms(), "the machine's own clock was not advanced");
    }
}
