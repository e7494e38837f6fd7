use std::fs::File;
use std::io::{Chain, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use serde::Serialize;

/// How a file is packed, by its first bytes; its name says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Packing {
    /// Not at all.
    Plain,
    /// RFC 1952, one member or several.
    Gzip,
    /// RFC 8878, one frame or several.
    Zstd,
}

impl Packing {
    fn of(first: &[u8]) -> Self {
        match first {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// The unpacked text of a file or of standard input.
pub struct Source {
    text: Text,
    /// How it is packed.
    pub packing: Packing,
    /// Its size as it lies there, bytes; `None` of what is no file.
    pub size: Option<u64>,
    read: Arc<AtomicU64>,
}

enum Text {
    Plain(Packed),
    Gzip(Box<MultiGzDecoder<Packed>>),
    Zstd(Box<Frames>),
}

/// The bytes as they lie there: the first ones, which were looked at, and the rest.
type Packed = Chain<Cursor<Vec<u8>>, Counted>;

struct Counted {
    input: Input,
    read: Arc<AtomicU64>,
}

enum Input {
    File(File),
    Stream(Box<dyn Read + Send>),
}

impl Source {
    /// Opens a file; `-` is standard input.
    ///
    /// # Errors
    /// When it is not there or cannot be read.
    pub fn open(path: &Path) -> std::io::Result<Self> {
        if path.as_os_str() == "-" {
            return Self::new(Input::Stream(Box::new(std::io::stdin())), None);
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(std::io::ErrorKind::IsADirectory.into());
        }
        Self::new(Input::File(file), metadata.is_file().then_some(metadata.len()))
    }

    /// Reads from a stream.
    ///
    /// # Errors
    /// When it cannot be read.
    #[cfg(test)]
    pub fn of_stream(stream: impl Read + Send + 'static) -> std::io::Result<Self> {
        Self::new(Input::Stream(Box::new(stream)), None)
    }

    fn new(input: Input, size: Option<u64>) -> std::io::Result<Self> {
        let read = Arc::new(AtomicU64::new(0));
        let mut input = Counted { input, read: Arc::clone(&read) };
        let mut first = Vec::new();
        (&mut input).take(4).read_to_end(&mut first)?;
        let packing = Packing::of(&first);
        let packed = Cursor::new(first).chain(input);
        let text = match packing {
            Packing::Plain => Text::Plain(packed),
            Packing::Gzip => Text::Gzip(Box::new(MultiGzDecoder::new(packed))),
            Packing::Zstd => Text::Zstd(Box::new(Frames { packed, decoder: FrameDecoder::new(), open: false })),
        };
        Ok(Self { text, packing, size, read })
    }

    /// Bytes that were read of what lies there, for those who watch.
    pub fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.read)
    }

    /// Passes over the first bytes of the text; only a plain file needs no reading for that.
    ///
    /// # Errors
    /// When it cannot be read, or is not that long.
    pub fn skip(&mut self, bytes: u64) -> std::io::Result<()> {
        if let Text::Plain(packed) = &mut self.text {
            let (first, counted) = packed.get_mut();
            if let (Input::File(file), Some(size)) = (&mut counted.input, self.size) {
                if bytes > size {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
                file.seek(SeekFrom::Start(bytes.max(first.get_ref().len() as u64)))?;
                first.set_position(bytes.min(first.get_ref().len() as u64));
                self.read.store(bytes, Ordering::Relaxed);
                return Ok(());
            }
        }
        let passed = std::io::copy(&mut self.take(bytes), &mut std::io::sink())?;
        if passed < bytes { Err(std::io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match &mut self.text {
            Text::Plain(packed) => packed.read(buffer),
            Text::Gzip(decoder) => decoder.read(buffer),
            Text::Zstd(frames) => frames.read(buffer),
        }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = match &mut self.input {
            Input::File(file) => file.read(buffer)?,
            Input::Stream(stream) => stream.read(buffer)?,
        };
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The frames of a zstd text, one behind the other.
struct Frames {
    packed: Packed,
    decoder: FrameDecoder,
    open: bool,
}

impl Frames {
    /// Begins the next frame that holds text; false behind the last.
    fn open_next(&mut self) -> std::io::Result<bool> {
        loop {
            if !self.more()? {
                return Ok(false);
            }
            match self.decoder.init(&mut self.packed) {
                Ok(()) => {
                    self.open = true;
                    return Ok(true);
                }
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    let passed = std::io::copy(&mut (&mut self.packed).take(u64::from(length)), &mut std::io::sink())?;
                    if passed < u64::from(length) {
                        return Err(std::io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(damaged(error)),
            }
        }
    }

    /// Whether anything follows.
    fn more(&mut self) -> std::io::Result<bool> {
        let (first, counted) = self.packed.get_mut();
        if first.position() < first.get_ref().len() as u64 {
            return Ok(true);
        }
        let mut next = Vec::new();
        counted.take(1).read_to_end(&mut next)?;
        let is_there = !next.is_empty();
        // A chain does not go back to its first part.
        let empty = Cursor::new(Vec::new())
            .chain(Counted { input: Input::Stream(Box::new(std::io::empty())), read: Arc::default() });
        let (_, counted) = std::mem::replace(&mut self.packed, empty).into_inner();
        self.packed = Cursor::new(next).chain(counted);
        Ok(is_there)
    }

    /// A text that is not what was packed is refused: its checksum is compared, where the frame has one.
    fn close(&mut self) -> std::io::Result<()> {
        self.open = false;
        let (stored, found) = (self.decoder.get_checksum_from_data(), self.decoder.get_calculated_checksum());
        if stored.is_some() && stored != found {
            return Err(damaged("the checksum of a zstd frame is wrong"));
        }
        Ok(())
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            if !self.open && !self.open_next()? {
                return Ok(0);
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                let decoded = self.decoder.decode_blocks(&mut self.packed, BlockDecodingStrategy::UptoBlocks(1));
                decoded.map_err(damaged)?;
            }
            let read = self.decoder.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            self.close()?;
        }
    }
}

fn damaged(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, what)
}
