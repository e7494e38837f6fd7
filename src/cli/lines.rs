use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::path::Path;

use crate::error::{ExitStatus, Fatal};

/// The lines of a file or of standard input. However long one is, no more than `longest` bytes of it are kept.
pub struct Lines {
    input: Box<dyn BufRead>,
    longest: usize,
    line: Vec<u8>,
}

impl Lines {
    /// The lines of a file; of standard input if there is none, or if it is `-`.
    pub fn open(file: Option<&Path>, longest: usize) -> Result<Self, Fatal> {
        let input: Box<dyn BufRead> = match file.filter(|path| path.as_os_str() != "-") {
            None => Box::new(BufReader::new(stdin())),
            Some(path) => match File::open(path) {
                Ok(file) => Box::new(BufReader::new(file)),
                Err(error) => {
                    return Err(Fatal::new(ExitStatus::Io, format!("cannot read {}", path.display())).because(error));
                }
            },
        };
        Ok(Self { input, longest, line: Vec::new() })
    }

    /// The next line without its end, `None` after the last. A line that is too long is cut just above `longest`, so
    /// that it can be told, and the rest of it passed over.
    pub fn next(&mut self) -> std::io::Result<Option<&[u8]>> {
        self.line.clear();
        // Room for the line end of a line that is just not too long.
        let limit = self.longest as u64 + 2;
        if (&mut self.input).take(limit).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') && self.line.len() as u64 == limit {
            self.skip_line()?;
        }
        let line = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        Ok(Some(line.strip_suffix(b"\r").unwrap_or(line)))
    }

    fn skip_line(&mut self) -> std::io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let (used, done) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            if done {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Lines;

    #[test]
    fn a_long_line_is_cut_just_above_the_limit_and_the_next_one_is_whole() {
        let input = Box::new(&b"12345\r\n123456789\n\n  12\n1234567"[..]);
        let mut lines = Lines { input, longest: 5, line: Vec::new() };
        let mut read = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            read.push(String::from_utf8_lossy(line).into_owned());
        }
        assert_eq!(read, ["12345", "1234567", "", "  12", "1234567"]);
    }
}
