use std::io::{Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use super::super::{Packing, Source};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    compress_to_vec(text, CompressionLevel::Fastest)
}

/// `okta-ocsf` and a line end, as zstd 1.5.4 packs it, with a checksum.
const BY_ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x24\x0a\x51\x00\x00okta-ocsf\n\x63\x9d\x25\x1e";

fn unpack(packed: Vec<u8>) -> std::io::Result<(Packing, Vec<u8>)> {
    let mut source = Source::of_stream(std::io::Cursor::new(packed))?;
    let mut text = Vec::new();
    source.read_to_end(&mut text)?;
    Ok((source.packing, text))
}

proptest! {
    #[test]
    fn what_was_packed_comes_out_whatever_the_packing(text in "[a-f{}\n]{0,5000}", parts in 1usize..4) {
        let text = text.as_bytes();
        let whole = text.repeat(parts);
        prop_assert_eq!(unpack(whole.clone()).unwrap(), (Packing::Plain, whole.clone()));
        prop_assert_eq!(unpack(gzip(text).repeat(parts)).unwrap(), (Packing::Gzip, whole.clone()));
        prop_assert_eq!(unpack(zstd(text).repeat(parts)).unwrap(), (Packing::Zstd, whole));
    }

    #[test]
    fn a_file_is_read_on_from_any_place(text in "[a-f]{1,3000}", place in any::<prop::sample::Index>()) {
        let place = place.index(text.len() + 1);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for packed in [text.clone().into_bytes(), gzip(text.as_bytes()), zstd(text.as_bytes())] {
            std::fs::write(&path, packed).unwrap();
            let mut source = Source::open(&path).unwrap();
            source.skip(place as u64).unwrap();
            let mut rest = String::new();
            source.read_to_string(&mut rest).unwrap();
            prop_assert_eq!(&rest, &text[place..]);
            prop_assert!(Source::open(&path).unwrap().skip(text.len() as u64 + 1).is_err());
        }
    }
}

#[test]
fn what_breaks_off_or_is_damaged_is_an_error_and_not_an_end() {
    let text = b"okta ".repeat(10_000);
    for packed in [gzip(&text), zstd(&text)] {
        assert!(unpack(packed[..packed.len() / 2].to_vec()).is_err());
    }
    let mut damaged = gzip(&text);
    let end = damaged.len();
    damaged[end - 6] ^= 1;
    assert!(unpack(damaged).is_err(), "the checksum of a gzip member");
    let mut damaged = zstd(b"okta");
    damaged.extend_from_slice(b"and more");
    assert!(unpack(damaged).is_err(), "what follows a frame must be one");
}

#[test]
fn what_another_program_packed_is_unpacked_and_its_checksum_compared() {
    assert_eq!(unpack(BY_ZSTD.to_vec()).unwrap(), (Packing::Zstd, b"okta-ocsf\n".to_vec()));
    let mut damaged = BY_ZSTD.to_vec();
    damaged[12] ^= 1;
    let error = unpack(damaged).unwrap_err();
    assert!(error.to_string().contains("checksum"), "{error}");
    let mut skippable = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc".to_vec();
    skippable.extend_from_slice(BY_ZSTD);
    assert_eq!(unpack(skippable).unwrap().1, b"okta-ocsf\n");
}

#[test]
fn what_lies_there_is_counted_as_it_is_read() {
    let packed = gzip(&b"okta ".repeat(10_000));
    let size = packed.len() as u64;
    let mut source = Source::of_stream(std::io::Cursor::new(packed)).unwrap();
    let counter = source.counter();
    std::io::copy(&mut source, &mut std::io::sink()).unwrap();
    assert_eq!(counter.load(std::sync::atomic::Ordering::Relaxed), size);
}
