//! What the processor can do, as Linux tells it.

use std::sync::LazyLock;

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

#[derive(Debug, PartialEq, Eq)]
struct Processor {
    is_amd: bool,
    instruction_sets: Vec<String>,
}

/// The relevant instruction sets of this processor, in a fixed order. Empty where the system does
/// not tell.
pub(super) fn instruction_sets() -> Vec<String> {
    PROCESSOR.instruction_sets.clone()
}

/// Whether this processor runs convolutions faster in bf16 than in fp32.
pub(super) fn is_faster_in_bf16() -> bool {
    PROCESSOR.is_faster_in_bf16()
}

impl Processor {
    fn of(cpuinfo: &str) -> Self {
        let vendor = cpuinfo.lines().find(|line| line.starts_with("vendor_id"));
        Self {
            is_amd: vendor.is_some_and(|line| line.ends_with("AuthenticAMD")),
            instruction_sets: relevant_flags(cpuinfo),
        }
    }

    /// To have the instructions is not enough: with `avx512_bf16` the forward pass takes half as
    /// long as in fp32 on an AMD EPYC, and 1.5 times as long on an Intel Xeon without AMX. That was
    /// beside libtorch's fp32. What frozen layers run in fp32 now is faster: the Xeon's distance has
    /// grown, the EPYC's was not measured again. What another processor does,
    /// `cargo bench --profile release -p classifier --bench network` tells.
    fn is_faster_in_bf16(&self) -> bool {
        let has = |flag: &str| self.instruction_sets.iter().any(|set| set == flag);
        has("amx_bf16") || has("bf16") || (has("avx512_bf16") && self.is_amd)
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
    fn bf16_is_chosen_where_it_was_found_to_be_faster() {
        let is_faster = |vendor: &str, flags: &str| {
            let text = format!("vendor_id\t: {vendor}\nflags\t\t: {flags}\n");
            Processor::of(&text).is_faster_in_bf16()
        };
        assert!(is_faster("AuthenticAMD", "avx512f avx512_bf16"));
        assert!(is_faster("GenuineIntel", "avx512_bf16 amx_bf16 amx_tile"));
        assert!(!is_faster("GenuineIntel", "avx512f avx512_bf16"));
        assert!(!is_faster("AuthenticAMD", "avx2"));
        assert!(Processor::of("Features\t: fp asimd bf16\n").is_faster_in_bf16());
    }
}
