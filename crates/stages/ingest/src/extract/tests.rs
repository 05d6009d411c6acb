use std::fs;
use std::io::Cursor;

use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;

fn limits() -> ExtractionLimits {
    ExtractionLimits { max_entries: 10, max_total_bytes: 8 << 20, max_ratio: 100 }
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn unzip_bytes(bytes: &[u8]) -> (tempfile::TempDir, Result<(), String>) {
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("scans.zip");
    fs::write(&archive, bytes).unwrap();
    let outcome = unzip(&archive, &folder.path().join("out"), &limits());
    (folder, outcome.map_err(|error| error.to_string()))
}

#[track_caller]
fn assert_refused(bytes: &[u8], expected: &str) {
    let (_folder, outcome) = unzip_bytes(bytes);
    let message = outcome.unwrap_err();
    assert!(message.contains("scans.zip") && message.contains(expected), "{message}");
}

/// Noise, which deflate cannot compress.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(count)
    .collect()
}

#[test]
fn files_come_out_byte_for_byte() {
    let content = noise(200_000);
    let (folder, outcome) = unzip_bytes(&zip_of(&[("a/b.png", &content), ("c\\d", b"")]));
    outcome.unwrap();
    assert_eq!(fs::read(folder.path().join("out/a/b.png")).unwrap(), content);
    assert_eq!(fs::read(folder.path().join("out/c/d")).unwrap(), b"");
}

#[test]
fn a_compression_that_is_not_read_is_named_and_not_called_damage() {
    // LZMA, XZ, PPMd and an unknown one: in the header of the file and in the directory.
    for (method, name) in
        [(14_u16, "LZMA"), (95, "XZ"), (98, "PPMd"), (77, "a method that is not known")]
    {
        let mut bytes = zip_of(&[("a.png", b"content")]);
        bytes[8..10].copy_from_slice(&method.to_le_bytes());
        let directory = bytes.windows(4).position(|it| it == b"PK\x01\x02").unwrap();
        bytes[directory + 10..directory + 12].copy_from_slice(&method.to_le_bytes());
        let (_folder, outcome) = unzip_bytes(&bytes);
        let message = outcome.unwrap_err();
        assert!(message.contains(name) && message.contains("pack it again"), "{message}");
        assert!(!message.contains("damaged"), "{message}");
    }
}

#[test]
fn limit_on_entries_holds() {
    let names: Vec<String> = (0..11).map(|i| i.to_string()).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    assert_refused(&zip_of(&entries), "11 entries");
}

#[test]
fn limit_on_the_total_holds() {
    assert_refused(&zip_of(&[("a", &noise(9 << 20))]), "max_total_bytes");
}

#[test]
fn limit_on_the_ratio_holds() {
    assert_refused(&zip_of(&[("a", &vec![0; 2 << 20])]), "max_ratio");
}

#[test]
fn a_small_file_may_pack_well() {
    unzip_bytes(&zip_of(&[("blank.bmp", &vec![0; 1 << 20])])).1.unwrap();
}

/// The declared size cannot be trusted: both headers are changed to state 1 byte.
#[test]
fn limits_hold_for_bytes_that_the_headers_deny() {
    let content = vec![0_u8; 2 << 20];
    let mut bytes = zip_of(&[("a", &content)]);
    let size = (content.len() as u32).to_le_bytes();
    let mut replaced = 0;
    for at in 0..bytes.len() - 4 {
        if bytes[at..at + 4] == size {
            bytes[at..at + 4].copy_from_slice(&1_u32.to_le_bytes());
            replaced += 1;
        }
    }
    assert_eq!(replaced, 2);
    let (folder, outcome) = unzip_bytes(&bytes);
    assert!(outcome.is_err());
    let written = fs::metadata(folder.path().join("out/a")).map_or(0, |file| file.len());
    assert!(written <= RATIO_FLOOR_BYTES, "{written}");
}

#[test]
fn a_flipped_bit_is_noticed() {
    let mut bytes = zip_of(&[("a.png", &noise(5_000))]);
    bytes[2_000] ^= 1;
    assert_refused(&bytes, "truncated or damaged: \"a.png\"");
}

#[test]
fn entries_that_mean_one_path_are_refused() {
    assert_refused_path_clash(&[("a/b", b"1"), ("a\\b", b"2")]);
    assert_refused_path_clash(&[("a", b"1"), ("a/b", b"2")]);
}

#[track_caller]
fn assert_refused_path_clash(entries: &[(&str, &[u8])]) {
    let message = unzip_bytes(&zip_of(entries)).1.unwrap_err();
    assert!(message.starts_with("create"), "{message}");
}
