use std::io::{IsTerminal, Write};

/// One line on the terminal that says what is being asked. It is gone when all is done.
pub struct Progress {
    is_watched: bool,
}

impl Progress {
    pub fn start() -> Self {
        Self { is_watched: std::io::stderr().is_terminal() }
    }

    /// Says what comes next, in the place of what came before: at once, as the next call may have to wait a minute.
    pub fn step(&self, what: &str) {
        self.write(&format!("\r\x1b[2K{what} …"));
    }

    /// A terminal that is gone is no reason to stop.
    fn write(&self, text: &str) {
        if self.is_watched {
            let mut stderr = std::io::stderr().lock();
            let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.write("\r\x1b[2K");
    }
}
