//! What a base computes, for `tests/reference` to compare with timm:
//!
//! ```text
//! base NAME WEIGHTS.safetensors SIDE OUT.safetensors PICTURE…
//! ```
//!
//! WEIGHTS has the base and a global-pool head of two classes. Out come the preprocessed `images`,
//! the maps at each cut point (`maps.<cut>`), and all tensors after one step of SGD with rate 1 on
//! the labels 0, 1, 0, 1, … (`stepped.<tensor>`), from which the gradients follow. The pictures are
//! prepared as the published weights want it.

use std::path::{Path, PathBuf};

use anyhow::Context;
use artifact::Digest;
use classifier::architecture::{Architecture, BaseDescription};
use classifier::backend::Backend;
use classifier::bases::{self, Base};
use classifier::features::{Extractor, Views};
use classifier::learner::{Batch, Learner};
use classifier::tensors::{self, HostTensor, TensorMap};
use classifier::{BaseWeights, FrozenLayers};
use config::{
    Augmentation, DescentParams, DeviceChoice, Flip, Freeze, HeadKind, HeadParams, Optimizer,
    Precision,
};
use imaging::Preprocessing;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().context("see the usage above");
    let base = bases::named(&next()?)?;
    let weights = tensors::read_foreign(Path::new(&next()?))?;
    let side: u32 = next()?.parse()?;
    let out = PathBuf::from(next()?);
    let preprocessing = Preprocessing {
        image_size: side,
        normalisation: base.published.input.normalisation,
        interpolation: base.published.input.interpolation,
        flip: Flip::None,
    };
    let images = arguments.map(|path| {
        let picture = imaging::decode(&artifact::read_bytes(Path::new(&path))?)?;
        Ok(preprocessing.apply(&picture))
    });
    let images: Vec<Vec<f32>> = images.collect::<anyhow::Result<_>>()?;

    let backend = Backend::choose(DeviceChoice::Cpu, Precision::Fp32)?;
    let shape = [images.len(), bases::INPUT_CHANNELS, side as usize, side as usize];
    let mut found = TensorMap::from([("images".into(), HostTensor::new(&shape, images.concat()))]);
    let maps = maps(base, &weights, side, preprocessing, backend, &images)?;
    found.extend(maps.into_iter().map(|(cut, maps)| (format!("maps.{cut}"), maps)));
    let stepped = stepped(base, &weights, side, backend, &images)?;
    found.extend(stepped.into_iter().map(|(name, it)| (format!("stepped.{name}"), it)));
    tensors::write(&out, &found, &base.name)?;
    Ok(())
}

fn architecture(base: &'static Base, side: u32, freeze: Freeze) -> anyhow::Result<Architecture> {
    Ok(Architecture {
        base,
        image_size: side,
        classes: vec!["0".into(), "1".into()],
        freeze: FrozenLayers::of(base, freeze)?,
        head: HeadParams { kind: HeadKind::GlobalPool, hidden_units: 0, dropout: 0.0 },
        stochastic_depth: 0.0,
    })
}

fn maps(
    base: &'static Base,
    weights: &TensorMap,
    side: u32,
    preprocessing: Preprocessing,
    backend: Backend,
    images: &[Vec<f32>],
) -> anyhow::Result<Vec<(String, HostTensor)>> {
    let nothing = Digest::of(b"");
    let description = BaseDescription {
        format: BaseDescription::FORMAT,
        architecture: architecture(base, side, Freeze::All)?,
        weights: BaseWeights::drawn("given"),
        base_sha256: nothing,
        updated_base_sha256: nothing,
    };
    let views = Views { augmentation: Augmentation::NONE, seed: 0 };
    let extractor = Extractor::new(&description, weights, backend, preprocessing, views, None)?;
    let images: Vec<&[f32]> = images.iter().map(Vec::as_slice).collect();
    Ok(extractor.maps_at_cut_points(&images)?)
}

fn stepped(
    base: &'static Base,
    weights: &TensorMap,
    side: u32,
    backend: Backend,
    images: &[Vec<f32>],
) -> anyhow::Result<TensorMap> {
    let architecture = architecture(base, side, Freeze::None)?;
    let sgd =
        DescentParams { optimizer: Optimizer::Sgd, momentum: 0.0, ..DescentParams::default() };
    let mut learner = Learner::new(&architecture, weights, backend, &sgd, None, "given")?;
    let labels: Vec<i64> = (0..images.len() as i64).map(|image| image % 2).collect();
    let batch = Batch { activations: &images.concat(), labels: &labels };
    learner.step(batch, 1.0, &Digest::of(b""))?;
    Ok(learner.checkpoint()?)
}
