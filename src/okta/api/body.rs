//! Reads a body to its end, but never more than allowed: neither over the wire nor of what it expands to.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use reqwest::Response;
use reqwest::header::CONTENT_ENCODING;

use super::fault::{Reach, Verdict, excerpt};
use super::reach;

/// Reads the body, decompressed.
pub(super) async fn read(mut response: Response, limit: usize) -> Result<Vec<u8>, Verdict> {
    let too_large = |compressed| Verdict::TooLarge { limit, compressed };
    if response.content_length().is_some_and(|length| length > limit as u64) {
        return Err(too_large(true));
    }
    let encoding = response.headers().get(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").to_owned());
    let mut sink = match encoding.as_deref() {
        None | Some("identity") => Sink::Plain(Capped::new(limit)),
        Some("gzip" | "x-gzip") => Sink::Gzip(Box::new(MultiGzDecoder::new(Capped::new(limit)))),
        Some(other) => return Err(Verdict::NotJson(format!("a body encoded as {:?}", excerpt(other)))),
    };
    let mut received = 0;
    while let Some(chunk) = response.chunk().await.map_err(|error| reach::verdict(&error))? {
        received += chunk.len();
        if received > limit {
            return Err(too_large(true));
        }
        if sink.write(&chunk).is_err() {
            return Err(if sink.is_full() { too_large(false) } else { broken_gzip() });
        }
    }
    sink.finish().map_err(|_| broken_gzip())
}

/// Wrong or cut off: like a connection that broke, it may be whole the next time.
fn broken_gzip() -> Verdict {
    Verdict::Unreachable(Reach::Broken("the compressed body is damaged".into()))
}

enum Sink {
    Plain(Capped),
    Gzip(Box<MultiGzDecoder<Capped>>),
}

impl Sink {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(capped) => capped.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
        }
    }

    fn is_full(&self) -> bool {
        match self {
            Self::Plain(capped) => capped.full,
            Self::Gzip(decoder) => decoder.get_ref().full,
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        match self {
            Self::Plain(capped) => Ok(capped.bytes),
            Self::Gzip(decoder) => decoder.finish().map(|capped| capped.bytes),
        }
    }
}

/// Takes bytes up to a limit.
struct Capped {
    bytes: Vec<u8>,
    limit: usize,
    full: bool,
}

impl Capped {
    fn new(limit: usize) -> Self {
        Self { bytes: Vec::new(), limit, full: false }
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.full = self.full || bytes.len() > self.limit - self.bytes.len();
        if self.full {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
