//! The places in an image that the answer is based on.

use config::HeadKind;
use tch::{Kind, Tensor};

use super::{Mode, Network, Reading, convert, take};
use crate::Result;
use crate::architecture::{MapSummary, STANDARDISE_MEAN};

impl Network {
    /// The places in one image `[1, 3, S, S]` that support a class: `[side, side]`, f32, 0 and
    /// above, not scaled. `side` is that of the maps that the base lets it read: S/16 for VGG16.
    /// `base` computes the maps at cut points: this network, or one that has the same base.
    pub(crate) fn grad_cam(&self, base: &Self, image: &Tensor, class: usize) -> Result<Tensor> {
        match self.architecture.head.kind {
            HeadKind::Linear | HeadKind::Kernel => self.cam_of_statistics(base, image, class),
            HeadKind::Flatten | HeadKind::GlobalPool | HeadKind::MultiScale => {
                self.cam_of_last_convolution(image, class)
            }
        }
    }

    /// Grad-CAM: the last maps, those before a pooling or normalisation at the end, weighted by how
    /// much the class's logit depends on each channel, with negative parts cut off.
    ///
    /// Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    /// Localization", ICCV 2017, equations 1 and 2.
    fn cam_of_last_convolution(&self, image: &Tensor, class: usize) -> Result<Tensor> {
        let (last, layers) = (self.base().explained_layers(), self.base().layers().len());
        let mut reading = self.reading();
        let below = tch::no_grad(|| self.run(image, 0..last, Mode::Prediction, &mut reading))?;
        let below = below.f_to_kind(Kind::Float)?.f_detach()?.f_set_requires_grad(true)?;
        let end = self.run(&below, last..layers, Mode::Prediction, &mut reading)?;
        let logits = self.logits(&self.pool(&end, &reading.parts)?, Mode::Prediction)?;
        let logit = logits.f_select(1, class as i64)?.f_sum(Kind::Float)?;
        let gradients = Tensor::f_run_backward(&[logit], &[&below], false, false)?;
        let (maps, gradients) = (self.maps_of(&below.f_detach()?)?, self.maps_of(&gradients[0])?);
        let weights = gradients.f_mean_dim(&[2_i64, 3][..], true, Kind::Float)?;
        let weighted = maps.f_mul(&weights)?;
        Ok(weighted
            .f_sum_dim_intlist(&[1_i64][..], false, Kind::Float)?
            .f_relu()?
            .f_squeeze_dim(0)?)
    }

    /// The same for a head that reads mean and deviation of each channel at several cut points; all
    /// of them contribute to the map.
    ///
    /// To first order, the logit differs from that of an average training image by Σ ∂logit/∂mean ·
    /// (mean − training mean) + Σ ∂logit/∂deviation · (deviation − training's), summed over the
    /// channels. Both differences are means over places: of activation − training mean, and of
    /// ((activation − mean)² − training deviation²) / (deviation + training deviation). The map is
    /// the contribution of each place. Maps of all cut points are brought to one grid and added,
    /// and negative parts are cut off.
    fn cam_of_statistics(&self, base: &Self, image: &Tensor, class: usize) -> Result<Tensor> {
        let maps = tch::no_grad(|| base.maps_at_cut_points(image))?;
        let taken: Vec<Tensor> =
            maps.iter().map(|maps| take(maps, MapSummary::Statistics)).collect::<Result<_>>()?;
        let head_inputs = Tensor::f_cat(&taken, 1)?.f_detach()?.f_set_requires_grad(true)?;
        let logits = self.logits(&head_inputs, Mode::Prediction)?;
        let logit = logits.f_select(1, class as i64)?.f_sum(Kind::Float)?;
        let gradients = Tensor::f_run_backward(&[logit], &[&head_inputs], false, false)?;
        let training = self.learnt[STANDARDISE_MEAN].f_unsqueeze(0)?;
        let seen = head_inputs.f_detach()?;
        let explained = self.base().explained_layers();
        let [_, side, _] = self.base().maps_after(self.architecture.image_size, explained);
        let mut total = Tensor::f_zeros([side as i64, side as i64], (Kind::Float, image.device()))?;
        for ((_, columns), maps) in self.base().columns().into_iter().zip(&maps) {
            let channels = (columns.len() / 2) as i64;
            // Of the means, or of the deviations, as `[1, C, 1, 1]`.
            let part = |row: &Tensor, second: bool| {
                let start = columns.start as i64 + if second { channels } else { 0 };
                row.f_narrow(1, start, channels)?.f_reshape([1, channels, 1, 1])
            };
            let of_mean =
                maps.f_sub(&part(&training, false)?)?.f_mul(&part(&gradients[0], false)?)?;
            let (own, trained) = (part(&seen, true)?, part(&training, true)?);
            let squares = maps.f_sub(&part(&seen, false)?)?.f_square()?;
            // If neither varies, there is no difference to distribute.
            let sum = own.f_add(&trained)?.f_clamp_min(f64::from(f32::MIN_POSITIVE))?;
            let of_deviation = squares.f_sub(&trained.f_square()?)?.f_div(&sum)?;
            let of_deviation = of_deviation.f_mul(&part(&gradients[0], true)?)?;
            let moved = of_mean.f_add(&of_deviation)?;
            let moved = moved.f_sum_dim_intlist(&[1_i64][..], true, Kind::Float)?;
            total = total
                .f_add(&on_grid(&moved, side as i64)?.f_reshape([side as i64, side as i64])?)?;
        }
        Ok(total.f_relu()?)
    }

    /// `[N, C, H, W]` at each cut point, fp32.
    pub(crate) fn maps_at_cut_points(&self, images: &Tensor) -> Result<Vec<Tensor>> {
        let mut reading = Reading { summary: Some(MapSummary::Maps), parts: Vec::new() };
        let layers = 0..self.base().layers().len();
        let _last = self.run(images, layers, Mode::Prediction, &mut reading)?;
        reading.parts.iter().map(|maps| convert(maps, Kind::Float)).collect()
    }
}

/// A map `[1, 1, H, W]` on a grid of `side` × `side`: the mean of finer cells, interpolated between
/// coarser ones. Both keep the mean over the map, so that maps of any size can be added.
fn on_grid(map: &Tensor, side: i64) -> Result<Tensor> {
    let own = map.size()[2];
    if own >= side {
        return Ok(map.f_adaptive_avg_pool2d([side, side])?);
    }
    Ok(map.f_upsample_bilinear2d([side, side], false, None, None)?)
}
