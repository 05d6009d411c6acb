//! `predict merge`: the parts of all shards as the one file that a single process writes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use artifact::WithPath;
use program::Shard;

use crate::offline::arguments::{Format, MergeArguments};
use crate::offline::shard::difference::difference;
use crate::offline::shard::lost;
use crate::offline::shard::part::PartRecord;
use crate::offline::tally::Tally;

/// A part, and what it is.
struct Part {
    path: PathBuf,
    record: PartRecord,
}

/// Puts the parts together, and returns the exit code that one process would have.
///
/// # Errors
/// When a part is missing, changed, given twice or of something else, or the output cannot be
/// written.
pub(crate) fn run(arguments: &MergeArguments) -> Result<ExitCode> {
    let parts = arguments.parts.iter().map(|path| Part::read(path));
    let parts: Vec<Part> = parts.collect::<Result<_>>()?;
    let (Some(first), output) = (parts.first(), &arguments.output) else {
        bail!("merge: no part is named");
    };
    let work = &first.record.work;
    check(&parts)?;
    refuse_to_replace_a_part(&parts, output)?;
    warn_of_other_hardware(&parts);
    let owners = owners(&parts)?;
    artifact::write_through(output, |file| write(&parts, &owners, work.settings.format, file))?;
    let mut tally = Tally::default();
    parts.iter().for_each(|part| tally.join(&part.record.tally));
    for line in tally.lines(&work.classes) {
        tracing::info!("{line}");
    }
    let count = parts.len();
    tracing::info!("wrote {} from {count} part(s)", terminal::shown(output.display()));
    Ok(tally.exit_code())
}

impl Part {
    fn read(path: &Path) -> Result<Self> {
        let shown = path.display();
        if path.to_string_lossy().ends_with(".shard.json") {
            bail!("use {shown}: it is the record of a part; name the part itself");
        }
        if !path.exists() {
            bail!("use {shown}: there is no such part");
        }
        Ok(Self { path: path.to_path_buf(), record: PartRecord::read(path)? })
    }

    fn shard(&self) -> Shard {
        self.record.shard
    }

    fn count(&self) -> NonZeroU32 {
        self.record.shard.count()
    }
}

/// All parts are of one result, none is there twice, and none is missing.
fn check(parts: &[Part]) -> Result<()> {
    let Some(first) = parts.first() else { return Ok(()) };
    for part in parts {
        let (this, that) = (part.path.display(), first.path.display());
        if let Some(difference) = part.record.work.difference(&first.record.work) {
            bail!("merge {this} with {that}: it is {difference}");
        }
        if part.count() != first.count() {
            let (here, there) = (part.shard(), first.shard());
            bail!("merge {this} with {that}: it is shard {here}, and the other is {there}");
        }
    }
    let mut there: BTreeMap<Shard, &Path> = BTreeMap::new();
    for part in parts {
        if let Some(other) = there.insert(part.shard(), &part.path) {
            let (this, that) = (part.path.display(), other.display());
            bail!("merge {this} with {that}: both are shard {}", part.shard());
        }
    }
    match lost::told(&there, &first.record.work) {
        Some(told) => bail!("merge: {told}"),
        None => Ok(()),
    }
}

/// The output has its place once it is whole; that must not be the place of a part.
fn refuse_to_replace_a_part(parts: &[Part], output: &Path) -> Result<()> {
    let Ok(output) = output.canonicalize() else { return Ok(()) };
    for part in parts {
        if part.path.canonicalize().with_path("find", &part.path)? == output {
            bail!("merge: {} is a part, and cannot be the output too", part.path.display());
        }
    }
    Ok(())
}

fn warn_of_other_hardware(parts: &[Part]) {
    let Some(first) = parts.first() else { return };
    for part in parts {
        let told = difference(&part.record.computed_on, &first.record.computed_on);
        if !told.is_empty() {
            tracing::warn!(
                "{} was computed in another way than {}: {told}; their last digits may differ from \
                 those of one process",
                terminal::shown(part.path.display()),
                terminal::shown(first.path.display())
            );
        }
    }
}

/// For each row, the part that has it.
fn owners(parts: &[Part]) -> Result<Vec<usize>> {
    let files = parts.first().map_or(0, |part| part.record.work.list.files);
    let mut owners = vec![None; files];
    for (owner, part) in parts.iter().enumerate() {
        let shown = part.path.display();
        if !part.record.positions.is_sorted() {
            bail!("merge {shown}: its rows are not in the order of the files; run it again");
        }
        for position in &part.record.positions {
            match owners.get_mut(*position) {
                Some(place @ None) => *place = Some(owner),
                _ => bail!("merge {shown}: it has a row that is not its own; run it again"),
            }
        }
    }
    let owners = owners.into_iter().collect::<Option<Vec<usize>>>();
    owners.context("merge: no part has a row for some of the files; run every shard again")
}

fn write(parts: &[Part], owners: &[usize], format: Format, mut output: impl Write) -> Result<()> {
    let lines = parts.iter().map(|part| Lines::open(&part.path));
    let mut lines: Vec<Lines<'_>> = lines.collect::<Result<_>>()?;
    let mut line = Vec::new();
    if format == Format::Csv {
        for part in &mut lines {
            // The same in each, since their classes are.
            line.clear();
            part.next(&mut line)?;
        }
        output.write_all(&line).context("write the header")?;
    }
    for owner in owners {
        line.clear();
        lines[*owner].next(&mut line)?;
        output.write_all(&line).context("write a row")?;
    }
    lines.iter_mut().try_for_each(Lines::end)
}

/// The lines of a part. A row is one: what would break a line is escaped in every format.
struct Lines<'a> {
    path: &'a Path,
    reader: BufReader<File>,
}

impl<'a> Lines<'a> {
    fn open(path: &'a Path) -> Result<Self> {
        let file = File::open(path).with_path("open", path)?;
        Ok(Self { path, reader: BufReader::new(file) })
    }

    /// Appends the next line with its end.
    fn next(&mut self, line: &mut Vec<u8>) -> Result<()> {
        self.reader.read_until(b'\n', line).with_path("read", self.path)?;
        if line.last() != Some(&b'\n') {
            bail!("merge {}: it has fewer rows than files; run it again", self.path.display());
        }
        Ok(())
    }

    fn end(&mut self) -> Result<()> {
        if self.reader.fill_buf().with_path("read", self.path)?.is_empty() {
            return Ok(());
        }
        bail!("merge {}: it has more rows than files; run it again", self.path.display())
    }
}
