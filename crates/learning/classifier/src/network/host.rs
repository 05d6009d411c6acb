//! Tensors between ordinary memory and a device.

use tch::{Device, Kind, Tensor};

use crate::backend::Backend;
use crate::tensors::HostTensor;
use crate::{ClassifierError, Result};

/// Copies a tensor in ordinary memory to a device. For a GPU the copy goes through page-locked
/// memory and is asynchronous: the host continues at once, and prepares the next batch while the
/// GPU computes this one.
pub(crate) fn upload(tensor: &Tensor, device: Device) -> Result<Tensor> {
    if !device.is_cuda() {
        return Ok(tensor.f_to_device(device)?);
    }
    let locked = tensor.f_pin_memory(device)?;
    let (non_blocking, copy) = (true, false);
    Ok(locked.f_to_device_(device, locked.kind(), non_blocking, copy)?)
}

pub(crate) fn to_device(tensor: &HostTensor, backend: Backend) -> Result<Tensor> {
    let shape: Vec<i64> = tensor.shape().iter().map(|length| *length as i64).collect();
    let on_host = Tensor::f_from_slice(tensor.values())?.f_reshape(&shape)?;
    Ok(on_host.f_to_device(backend.device)?)
}

pub(crate) fn to_host(tensor: &Tensor) -> Result<HostTensor> {
    let flat = tensor.f_detach()?.f_to_device(Device::Cpu)?.f_to_kind(Kind::Float)?;
    let flat = flat.f_contiguous()?.f_flatten(0, -1)?;
    let values = Vec::<f32>::try_from(&flat).map_err(ClassifierError::Torch)?;
    let shape: Vec<usize> = tensor.size().iter().map(|length| *length as usize).collect();
    Ok(HostTensor::new(&shape, values))
}

/// The rows of a matrix `[N, M]`, in ordinary memory.
pub(crate) fn rows(matrix: &Tensor) -> Result<Vec<Vec<f32>>> {
    let host = to_host(matrix)?;
    let length = host.shape().get(1).copied().unwrap_or(1).max(1);
    Ok(host.values().chunks(length).map(<[f32]>::to_vec).collect())
}
