//! CUDA at run time.
//!
//! Nothing in our programs refers to a symbol of `libtorch_cuda.so`, so the linker leaves it out
//! and `Cuda::is_available()` is false even on a GPU machine. Opening the library before the first
//! call to libtorch registers its kernels, so that one program works on both kinds of machine.

use std::sync::LazyLock;

/// The driver's library: if it is missing there is no usable GPU, and the gigabyte of
/// `libtorch_cuda.so` need not be opened.
const DRIVER: &str = "libcuda.so.1";
const TORCH_CUDA: &str = "libtorch_cuda.so";

static LOADED: LazyLock<Result<usize, String>> = LazyLock::new(|| {
    open_for_good(DRIVER).map_err(|reason| format!("no NVIDIA driver was found ({reason})"))?;
    open_for_good(TORCH_CUDA).map_err(|reason| {
        format!("libtorch's CUDA part cannot be loaded ({reason}); run make setup on this machine")
    })?;
    match usize::try_from(tch::Cuda::device_count()) {
        Ok(count) if count > 0 && tch::Cuda::is_available() => Ok(count),
        _ => Err("the NVIDIA driver reports no device".into()),
    }
});

/// Loads libtorch's CUDA part, once; returns the number of devices, or the reason why there are
/// none.
pub(super) fn load() -> Result<usize, String> {
    if let Err(reason) = &*LOADED {
        tracing::debug!("running without CUDA: {reason}");
    }
    LOADED.clone()
}

/// Opens a library with its symbols visible to all, and never closes it: libtorch keeps pointers
/// into it until the process ends.
fn open_for_good(name: &str) -> Result<(), String> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    #[expect(
        unsafe_code,
        reason = "loading a library runs its initialisers; these are NVIDIA's and PyTorch's own, made to be loaded this way"
    )]
    // SAFETY: both libraries may be initialised from any thread; they are opened once, before
    // libtorch is first asked for a CUDA device, and are never closed.
    let library = unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) };
    std::mem::forget(library.map_err(|error| error.to_string())?);
    Ok(())
}
