//! The device and the number format of the network: decided once, before the first tensor.

use std::fmt;

use config::{DeviceChoice, Precision};
use serde::{Deserialize, Serialize};
use winograd::InstructionSet;

use crate::{ClassifierError, Result};

mod cuda;
mod number_format;
mod processor;

pub use number_format::NumberFormat;

/// Images per forward pass of the frozen part. Fixed, because the last bits of a result may depend
/// on the batch's shape: the last batch is padded, never shortened.
pub const FORWARD_BATCH: usize = 16;

/// Device and number format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backend {
    pub(crate) device: tch::Device,
    format: NumberFormat,
}

/// Everything beside the inputs that may change the last bits of a result. Part of a run's
/// identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fingerprint {
    /// `cpu`, or the kind of GPU.
    pub device: String,
    /// Number format of the convolutions.
    pub precision: NumberFormat,
    /// Instruction sets that libtorch chooses its kernels by.
    pub processor: Vec<String>,
    /// Threads that share one operation.
    pub threads: usize,
    /// Images per forward pass of the frozen part.
    pub forward_batch: usize,
    /// How frozen convolutions are computed.
    #[serde(default)]
    pub convolutions: Algorithm,
    /// Processes that add up their gradients.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub processes: usize,
}

fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

/// How frozen convolutions are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// By libtorch.
    #[default]
    Direct,
    /// With a quarter of the multiplications; the last bits differ.
    Winograd,
}

/// What this machine computes with, where nothing else is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// The number format of `train.precision: auto`.
    pub precision: NumberFormat,
    /// Instruction sets that libtorch chooses its kernels by.
    pub instruction_sets: Vec<String>,
    /// GPUs.
    pub cuda: Gpus,
}

/// The GPUs of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Gpus {
    /// How many can be used.
    Devices(usize),
    /// Why none can.
    None(String),
}

impl Machine {
    /// Looks.
    ///
    /// # Errors
    /// None are known of: with these choices any machine will do.
    pub fn look() -> Result<Self> {
        let backend = Backend::choose(DeviceChoice::Auto, Precision::Auto)?;
        Ok(Self {
            precision: backend.format,
            instruction_sets: processor::instruction_sets(),
            cuda: cuda::load().map_or_else(Gpus::None, Gpus::Devices),
        })
    }
}

impl Backend {
    /// Chooses the backend. On a machine with an NVIDIA driver this loads libtorch's CUDA part,
    /// which the program is not linked to, so that the same program works on both kinds of machine.
    ///
    /// # Errors
    /// When a requested CUDA device does not exist.
    pub fn choose(device: DeviceChoice, precision: Precision) -> Result<Self> {
        let device = match device {
            DeviceChoice::Cpu => tch::Device::Cpu,
            DeviceChoice::Auto if cuda::load().is_ok() => tch::Device::Cuda(0),
            DeviceChoice::Auto => tch::Device::Cpu,
            DeviceChoice::Cuda(index) => {
                let refuse =
                    |reason| ClassifierError::Device { device: format!("cuda:{index}"), reason };
                let count = cuda::load().map_err(refuse)?;
                if index >= count {
                    return Err(refuse(format!("this machine has {count} CUDA device(s)")));
                }
                tch::Device::Cuda(index)
            }
        };
        let format = match precision {
            Precision::Fp32 => NumberFormat::Fp32,
            Precision::Bf16 => NumberFormat::Bf16,
            Precision::Auto if device.is_cuda() => NumberFormat::Bf16,
            Precision::Auto => processor::faster_format(),
        };
        Ok(Self { device, format })
    }

    /// The chosen number format.
    pub fn format(&self) -> NumberFormat {
        self.format
    }

    /// The instructions of our own frozen convolutions, if they are used instead of libtorch's: in
    /// fp32 on a processor that has such instructions.
    pub(crate) fn winograd(&self) -> Option<InstructionSet> {
        let is_wanted = self.device == tch::Device::Cpu && self.format == NumberFormat::Fp32;
        if is_wanted { InstructionSet::detect() } else { None }
    }

    /// Everything that may change the last bits of a result.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            device: if self.device.is_cuda() { "cuda".into() } else { "cpu".into() },
            precision: self.format,
            processor: processor::instruction_sets(),
            threads: usize::try_from(tch::get_num_threads()).unwrap_or(1),
            forward_batch: FORWARD_BATCH,
            convolutions: match self.winograd() {
                Some(_) => Algorithm::Winograd,
                None => Algorithm::Direct,
            },
            processes: one(),
        }
    }
}

/// Limits the threads that libtorch, the decoding and our own convolutions use. It has to be called
/// before any of them is used.
///
/// # Errors
/// When threads were started before.
pub fn set_threads(count: usize) -> std::result::Result<(), rayon::ThreadPoolBuildError> {
    tch::set_num_threads(i32::try_from(count).unwrap_or(i32::MAX));
    rayon::ThreadPoolBuilder::new().num_threads(count).build_global()
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.device {
            tch::Device::Cuda(index) => write!(f, "cuda:{index}, {}", self.format),
            _ => write!(f, "cpu with {} threads, {}", tch::get_num_threads(), self.format),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_precision_is_obeyed_on_the_cpu() {
        assert_eq!(cpu().format(), NumberFormat::Fp32);
        assert_eq!(cpu().fingerprint().device, "cpu");
    }

    #[test]
    fn only_fp32_has_convolutions_of_our_own() {
        let of = |precision| Backend::choose(DeviceChoice::Cpu, precision).unwrap().fingerprint();
        assert_eq!(of(Precision::Bf16).convolutions, Algorithm::Direct);
        let fp32 = if InstructionSet::detect().is_some() {
            Algorithm::Winograd
        } else {
            Algorithm::Direct
        };
        assert_eq!(of(Precision::Fp32).convolutions, fp32);
    }

    #[test]
    fn a_fingerprint_from_before_there_was_a_choice_is_not_todays() {
        let mut text = serde_json::to_value(cpu().fingerprint()).unwrap();
        text.as_object_mut().unwrap().remove("convolutions").unwrap();
        let before: Fingerprint = serde_json::from_value(text).unwrap();
        assert_eq!(before.convolutions, Algorithm::Direct);
    }

    fn cpu() -> Backend {
        Backend::choose(DeviceChoice::Cpu, Precision::Fp32).unwrap()
    }

    #[test]
    fn a_missing_cuda_device_is_an_error_that_says_why() {
        let error = Backend::choose(DeviceChoice::Cuda(99), Precision::Auto).unwrap_err();
        assert!(error.to_string().starts_with("use device cuda:99: "), "{error}");
    }
}
