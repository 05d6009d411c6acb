//! The processor's features, as Linux reports them.

use std::sync::LazyLock;

use super::number_format::NumberFormat;

/// Flags that libtorch and oneDNN choose their kernels by.
const RELEVANT: [&str; 9] = [
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx512_fp16",
    "amx_bf16",
    "amx_tile",
    "bf16",
];

static PROCESSOR: LazyLock<Processor> =
    LazyLock::new(|| Processor::of(&std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default()));

/// A kind of processor, and the number format that was measured to be faster on it.
struct Kind {
    /// The flag that identifies the kind.
    flag: &'static str,
    faster: NumberFormat,
}

/// The faster format of each kind; the first row that fits is used. Instructions for bf16 are not
/// enough: bf16 competes not with libtorch's fp32 but with our own, whose frozen layers need a
/// quarter of the multiplications, on x86 only. Measure another processor with `cargo bench
/// --profile release -p classifier --bench network`. A row is added from such figures, never from a
/// timing while a program runs, because then a result would depend on it.
const KINDS: [Kind; 3] = [
    // Intel since Sapphire Rapids: 16 times the multiplications a cycle of fp32 in AVX-512, of
    // which our fp32 needs a quarter. Not measured here.
    Kind { flag: "amx_bf16", faster: NumberFormat::Bf16 },
    // The name of the flag on ARM. Fp32 is libtorch's there, with all multiplications. Not measured
    // here.
    Kind { flag: "bf16", faster: NumberFormat::Bf16 },
    // AMD since Zen 4: a cold `train` on 685 images of 224 pixels, all layers frozen, on two cores
    // of an EPYC took 61.3 s in bf16 and 35.8 s in fp32. Intel before AMX: the forward pass of a
    // Xeon took 1.5 times as long in bf16 as in libtorch's fp32, which is slower than ours.
    Kind { flag: "avx512_bf16", faster: NumberFormat::Fp32 },
];

#[derive(Debug, PartialEq, Eq)]
struct Processor {
    instruction_sets: Vec<String>,
}

/// The relevant instruction sets of this processor, in a fixed order. Empty if the system does not
/// report them.
pub(super) fn instruction_sets() -> Vec<String> {
    PROCESSOR.instruction_sets.clone()
}

/// The number format in which this processor runs convolutions faster.
pub(super) fn faster_format() -> NumberFormat {
    PROCESSOR.faster_format()
}

impl Processor {
    fn of(cpuinfo: &str) -> Self {
        Self { instruction_sets: relevant_flags(cpuinfo) }
    }

    /// Fp32 if no row fits: without instructions for it, bf16 is emulated.
    fn faster_format(&self) -> NumberFormat {
        let fits = |kind: &&Kind| self.instruction_sets.iter().any(|set| set == kind.flag);
        KINDS.iter().find(fits).map_or(NumberFormat::Fp32, |kind| kind.faster)
    }
}

/// x86 calls the line `flags`, ARM `Features`; all processors of a machine have the same.
fn relevant_flags(cpuinfo: &str) -> Vec<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("flags") || line.starts_with("Features"))
        .unwrap_or_default();
    let present: Vec<&str> = line.split_whitespace().collect();
    RELEVANT.iter().filter(|flag| present.contains(flag)).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_found_whole_and_in_a_fixed_order() {
        let text = "processor\t: 0\nflags\t\t: fpu avx512_bf16 avx2 avx512_bf16x\nbugs:\n";
        assert_eq!(relevant_flags(text), ["avx2", "avx512_bf16"]);
        assert_eq!(relevant_flags("Features\t: fp asimd bf16"), ["bf16"]);
        assert!(relevant_flags("").is_empty());
    }

    #[test]
    fn each_kind_of_processor_gets_what_is_faster_on_it() {
        let faster = |flags: &str| Processor::of(&format!("flags\t\t: {flags}\n")).faster_format();
        // AMD since Zen 4, Intel before AMX.
        assert_eq!(faster("avx2 fma avx512f avx512_bf16"), NumberFormat::Fp32);
        // Intel since Sapphire Rapids: the first row decides.
        assert_eq!(faster("avx512f avx512_bf16 amx_bf16 amx_tile"), NumberFormat::Bf16);
        // No instructions for it at all, or a system that reports nothing.
        assert_eq!(faster("avx2 fma"), NumberFormat::Fp32);
        assert_eq!(Processor::of("").faster_format(), NumberFormat::Fp32);
        let arm = Processor::of("Features\t: fp asimd bf16\n");
        assert_eq!(arm.faster_format(), NumberFormat::Bf16);
    }

    #[test]
    fn every_row_is_told_by_a_flag_that_is_looked_for() {
        for kind in &KINDS {
            assert!(RELEVANT.contains(&kind.flag), "{}", kind.flag);
        }
    }
}
