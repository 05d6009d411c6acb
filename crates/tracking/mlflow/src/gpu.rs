use nvml_wrapper::error::NvmlError;
use nvml_wrapper::{Device, Nvml};

use crate::units::{megabytes, percentage, rounded};

/// The NVIDIA GPUs of this machine.
pub(crate) struct Gpus {
    library: Nvml,
    count: u32,
}

impl Gpus {
    /// Opens the driver's library, if there is one.
    pub(crate) fn open() -> Option<Self> {
        let library = Nvml::init()
            .inspect_err(|reason| tracing::debug!("no GPU is measured: {reason}"))
            .ok()?;
        let count = library.device_count().ok().filter(|count| *count > 0)?;
        Some(Self { library, count })
    }

    /// Values by name. Values that a GPU does not report are left out.
    pub(crate) fn measure(&self) -> Vec<(String, f64)> {
        let mut values = Vec::new();
        for number in 0..self.count {
            let Ok(gpu) = self.library.device_by_index(number) else { continue };
            for measured in [memory(&gpu), utilisation(&gpu), power(&gpu)] {
                let named = |(name, value)| (format!("gpu_{number}_{name}"), rounded(value));
                values.extend(measured.into_iter().flatten().map(named));
            }
        }
        values
    }
}

type Values = Result<Vec<(&'static str, f64)>, NvmlError>;

fn memory(gpu: &Device<'_>) -> Values {
    let memory = gpu.memory_info()?;
    let (used, total) = (memory.used as f64, memory.total as f64);
    Ok(vec![
        ("memory_usage_percentage", percentage(used, total)),
        ("memory_usage_megabytes", megabytes(used)),
    ])
}

fn utilisation(gpu: &Device<'_>) -> Values {
    Ok(vec![("utilization_percentage", f64::from(gpu.utilization_rates()?.gpu))])
}

fn power(gpu: &Device<'_>) -> Values {
    let used_milliwatts = f64::from(gpu.power_usage()?);
    let limit_milliwatts = f64::from(gpu.enforced_power_limit()?);
    Ok(vec![
        ("power_usage_watts", used_milliwatts / 1000.0),
        ("power_usage_percentage", percentage(used_milliwatts, limit_milliwatts)),
    ])
}
