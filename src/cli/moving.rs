//! Lines on standard error that move on a terminal and stand still elsewhere.

use std::io::{IsTerminal, Write};

/// Columns of a moving line: those of the narrowest terminal in use.
const WIDTH: usize = 79;

/// The lines that move.
pub(super) struct Moving {
    moving: bool,
    /// Lines that are on the screen.
    drawn: usize,
}

impl Moving {
    pub fn new() -> Self {
        Self { moving: std::io::stderr().is_terminal(), drawn: 0 }
    }

    /// Whether there is a terminal to move them on.
    pub fn moves(&self) -> bool {
        self.moving
    }

    /// Puts these in the place of the last ones.
    pub fn draw<'l>(&mut self, lines: impl Iterator<Item = &'l str>) {
        if !self.moving {
            return;
        }
        self.clear();
        let mut stderr = std::io::stderr().lock();
        for line in lines {
            // A line that wraps could not be taken off again.
            let text: String = line.chars().take(WIDTH).collect();
            let _ = writeln!(stderr, "{text}");
            self.drawn += 1;
        }
        let _ = stderr.flush();
    }

    /// Takes them off the screen.
    pub fn clear(&mut self) {
        if self.drawn > 0 {
            let _ = write!(std::io::stderr(), "\x1b[{}A\x1b[J", self.drawn);
            self.drawn = 0;
        }
    }

    /// Prints a line that stays.
    pub fn say(&self, text: &str) {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}
