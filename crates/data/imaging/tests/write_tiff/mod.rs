//! Small TIFF files, tag by tag.

/// A file of one directory, little endian, with one strip. It starts as 8-bit grey.
#[derive(Clone)]
pub(crate) struct Tiff {
    /// Tag, type, numbers.
    tags: Vec<(u16, u16, Vec<u32>)>,
    strips: Vec<Vec<u8>>,
}

const SHORT: u16 = 3;
const LONG: u16 = 4;

impl Tiff {
    pub(crate) fn grey(width: u32, pixels: &[u8]) -> Self {
        let height = pixels.len() as u32 / width;
        Self { tags: Vec::new(), strips: vec![pixels.to_vec()] }
            .with(256, LONG, &[width])
            .with(257, LONG, &[height])
            .with(258, SHORT, &[8])
            .with(259, SHORT, &[1])
            .with(262, SHORT, &[1])
            .with(277, SHORT, &[1])
            .with(278, LONG, &[height])
    }

    #[allow(dead_code, reason = "not every test has colours")]
    pub(crate) fn colour(width: u32, height: u32, samples: u32, pixels: &[u8]) -> Self {
        Self::grey(width, pixels)
            .with(257, LONG, &[height])
            .with(258, SHORT, &vec![8; samples as usize])
            .with(262, SHORT, &[2])
            .with(277, SHORT, &[samples])
            .with(278, LONG, &[height])
    }

    /// Sets a tag.
    pub(crate) fn with(mut self, tag: u16, kind: u16, numbers: &[u32]) -> Self {
        self.tags.retain(|(of, ..)| *of != tag);
        self.tags.push((tag, kind, numbers.to_vec()));
        self
    }

    #[allow(dead_code, reason = "not every test has more strips than one")]
    pub(crate) fn with_strips(mut self, strips: &[&[u8]]) -> Self {
        self.strips = strips.iter().map(|strip| strip.to_vec()).collect();
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let is_tiled = self.tags.iter().any(|(tag, ..)| *tag == 322);
        let (offsets_tag, counts_tag) = if is_tiled { (324, 325) } else { (273, 279) };
        let mut bytes = b"II*\0\0\0\0\0".to_vec();
        let mut offsets = Vec::new();
        for strip in &self.strips {
            offsets.push(bytes.len() as u32);
            bytes.extend(strip);
        }
        let counts: Vec<u32> = self.strips.iter().map(|strip| strip.len() as u32).collect();
        let given = |tag: u16| self.tags.iter().any(|(of, ..)| *of == tag);
        let mut tags = self.tags.clone();
        for (tag, numbers) in [(offsets_tag, offsets), (counts_tag, counts)] {
            if !given(tag) {
                tags.push((tag, LONG, numbers));
            }
        }
        tags.sort();
        let mut entries = (tags.len() as u16).to_le_bytes().to_vec();
        for (tag, kind, numbers) in &tags {
            let value: Vec<u8> = numbers
                .iter()
                .flat_map(|number| match *kind {
                    SHORT => (*number as u16).to_le_bytes().to_vec(),
                    _ => number.to_le_bytes().to_vec(),
                })
                .collect();
            entries.extend(tag.to_le_bytes());
            entries.extend(kind.to_le_bytes());
            entries.extend((numbers.len() as u32).to_le_bytes());
            if value.len() <= 4 {
                entries.extend(value.iter().chain(&[0; 4]).take(4));
            } else {
                entries.extend((bytes.len() as u32).to_le_bytes());
                bytes.extend(value);
            }
        }
        let directory = bytes.len() as u32;
        bytes[4..8].copy_from_slice(&directory.to_le_bytes());
        bytes.extend(entries);
        bytes.extend([0; 4]);
        bytes
    }
}
