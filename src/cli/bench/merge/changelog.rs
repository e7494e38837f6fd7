//! A changelog in a file, for one owner.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::Path;

use anyhow::Context as _;

use crate::merge::changelog::{Counters, Logged, Record, Replay, Survey, Writer, claim};
use crate::merge::{Changes, RedbStore};

/// The length that stands for no value.
const NONE: u32 = u32::MAX;

pub struct Changelog {
    file: BufWriter<File>,
    writer: Writer,
    bytes: u64,
}

impl Changelog {
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create_new(path).with_context(|| format!("{} cannot be made", path.display()))?;
        let mut changelog =
            Self { file: BufWriter::new(file), writer: Writer::new(0, 0, Counters::default()), bytes: 0 };
        changelog.write(&[claim([0; 16], "bench")])?;
        Ok(changelog)
    }

    /// The records of a batch with its marker.
    pub fn records(&mut self, changes: &mut Changes) -> Vec<Record> {
        let batch = self.writer.batch(changes);
        changes.notes = batch.notes;
        let mut records = batch.records;
        records.push(self.writer.marker(changes.next_offset, changes.clock, &[]).record());
        records
    }

    pub fn write(&mut self, records: &[Record]) -> anyhow::Result<()> {
        for Record { key, value } in records {
            let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(NONE).to_le_bytes();
            self.file.write_all(&length(key))?;
            self.file.write_all(&value.as_deref().map_or(NONE.to_le_bytes(), length))?;
            self.file.write_all(key)?;
            self.file.write_all(value.as_deref().unwrap_or_default())?;
            self.bytes += 8 + key.len() as u64 + value.as_ref().map_or(0, |value| value.len() as u64);
        }
        Ok(())
    }

    /// How many bytes it has.
    pub fn finish(&mut self) -> anyhow::Result<u64> {
        self.file.flush()?;
        Ok(self.bytes)
    }
}

/// Makes the state again, as a worker does: the log is read twice. Gives how many records it has.
pub fn restore(path: &Path, store: &mut RedbStore) -> anyhow::Result<u64> {
    let mut survey = Survey::default();
    let records = read(path, &mut |record| Ok(survey.take(record)?))?;
    let found = survey.finish(None);
    let mark = found.mark.clone().context("the changelog has no marker")?;
    let mut replay = Replay::new(found, Counters::default());
    let mut rebuild = store.rebuild(true)?;
    read(path, &mut |record| Ok(replay.take(record)?.map_or(Ok(()), |step| rebuild.take(step))?))?;
    let (counters, ..) = replay.finish();
    rebuild.finish(&mark.marker, &counters.notes())?;
    Ok(records)
}

fn read(path: &Path, each: &mut dyn FnMut(&Logged<'_>) -> anyhow::Result<()>) -> anyhow::Result<u64> {
    let mut file = BufReader::with_capacity(1 << 20, File::open(path)?);
    let (mut lengths, mut key, mut value, mut offset) = ([0; 8], Vec::new(), Vec::new(), 0);
    while file.read_exact(&mut lengths).is_ok() {
        let [a, b, c, d, e, f, g, h] = lengths;
        let (of_key, of_value) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        key.resize(of_key as usize, 0);
        file.read_exact(&mut key)?;
        value.resize(if of_value == NONE { 0 } else { of_value as usize }, 0);
        file.read_exact(&mut value)?;
        let there = (of_value != NONE).then_some(value.as_slice());
        // Record 0 is the claim, and all others were written under it.
        each(&Logged { offset, claim: (offset > 0).then_some(0), key: &key, value: there })?;
        offset += 1;
    }
    Ok(offset)
}
