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

static INSTRUCTION_SETS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    relevant_flags(&text)
});

/// The relevant instruction sets of this processor, in a fixed order. Empty where the system does
/// not tell.
pub(super) fn instruction_sets() -> Vec<String> {
    INSTRUCTION_SETS.clone()
}

/// Whether the processor multiplies bf16 in hardware; elsewhere bf16 is slower than fp32.
pub(super) fn has_bf16() -> bool {
    INSTRUCTION_SETS.iter().any(|set| matches!(set.as_str(), "avx512_bf16" | "amx_bf16" | "bf16"))
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
}
