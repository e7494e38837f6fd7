use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// Nobody needs to be told of what is over by then.
const PATIENCE: Duration = Duration::from_secs(2);

/// One line on the terminal that says what is being asked, when it takes long.
pub struct Progress {
    begun: Instant,
    is_watched: bool,
    is_shown: bool,
}

impl Progress {
    pub fn start() -> Self {
        Self { begun: Instant::now(), is_watched: std::io::stderr().is_terminal(), is_shown: false }
    }

    /// Says what comes next, in the place of what came before.
    pub fn step(&mut self, what: &str) {
        if self.is_watched && self.begun.elapsed() > PATIENCE {
            self.is_shown = true;
            write(&format!("\r\x1b[2K{what} …"));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.is_shown {
            write("\r\x1b[2K");
        }
    }
}

/// A terminal that is gone is no reason to stop.
fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
