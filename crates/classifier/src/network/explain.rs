//! Where in an image the answer comes from.

use config::HeadKind;
use tch::{Kind, Tensor};

use super::{Network, convert};
use crate::Result;
use crate::architecture::{STANDARDISE_MEAN, Taken};
use crate::vgg16::{self, LAYERS};

impl Network {
    /// Where one image `[1, 3, S, S]` speaks for a class: `[side, side]`, f32, 0 and above, not
    /// scaled. `side` is S/16.
    pub(crate) fn grad_cam(&self, image: &Tensor, class: usize) -> Result<Tensor> {
        match self.architecture.head.kind {
            HeadKind::Linear | HeadKind::Kernel => self.cam_of_means(image, class),
            HeadKind::Flatten | HeadKind::GlobalPool | HeadKind::MultiScale => {
                self.cam_of_last_convolution(image, class)
            }
        }
    }

    /// Grad-CAM: what the last convolution saw (after its ReLU), weighted by how much the class's
    /// logit depends on each channel, negative parts cut off.
    ///
    /// Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    /// Localization", ICCV 2017, equations 1 and 2.
    fn cam_of_last_convolution(&self, image: &Tensor, class: usize) -> Result<Tensor> {
        let last = LAYERS.len() - 1;
        let taken = self.architecture.taken();
        let mut scales = Vec::new();
        let maps = tch::no_grad(|| self.run(image, 0..last, taken, &mut scales))?;
        let maps = maps.f_to_kind(Kind::Float)?.f_detach()?.f_set_requires_grad(true)?;
        let end = self.run(&maps, last..LAYERS.len(), taken, &mut scales)?;
        let logits = self.logits(&self.pool(&end, &scales)?, false)?;
        let logit = logits.f_select(1, class as i64)?.f_sum(Kind::Float)?;
        let gradients = Tensor::f_run_backward(&[logit], &[&maps], false, false)?;
        let weights = gradients[0].f_mean_dim(&[2_i64, 3][..], true, Kind::Float)?;
        let weighted = maps.f_detach()?.f_mul(&weights)?;
        Ok(weighted.f_sum_dim_intlist(&[1_i64][..], false, Kind::Float)?.f_relu()?.f_squeeze()?)
    }

    /// The same for a head that reads the mean of each channel at several cut points, all of which
    /// have their part in the map.
    ///
    /// The head reads means over places. To first order, the logit differs from that of an average
    /// training image by the mean over the places of Σ gradient · (activation − training mean), summed
    /// over the channels. These sums are the map: they are brought to one grid, added over the cut
    /// points, and negative parts cut off.
    fn cam_of_means(&self, image: &Tensor, class: usize) -> Result<Tensor> {
        let maps = tch::no_grad(|| self.maps_at_cut_points(image))?;
        let means: Vec<Tensor> = maps
            .iter()
            .map(|maps| Ok(maps.f_mean_dim(&[2_i64, 3][..], false, Kind::Float)?))
            .collect::<Result<_>>()?;
        let head_inputs = Tensor::f_cat(&means, 1)?.f_detach()?.f_set_requires_grad(true)?;
        let logits = self.logits(&head_inputs, false)?;
        let logit = logits.f_select(1, class as i64)?.f_sum(Kind::Float)?;
        let gradients = Tensor::f_run_backward(&[logit], &[&head_inputs], false, false)?;
        let side = vgg16::size_after(self.architecture.image_size as usize, LAYERS.len() - 1);
        let mut total = Tensor::f_zeros([side as i64, side as i64], (Kind::Float, image.device()))?;
        for ((_, columns), maps) in vgg16::cut_points().into_iter().zip(&maps) {
            let (start, length) = (columns.start as i64, columns.len() as i64);
            let column = |row: &Tensor| row.f_narrow(1, start, length)?.f_reshape([1, length, 1, 1]);
            let gradient = column(&gradients[0])?;
            let mean = column(&self.learnt[STANDARDISE_MEAN].f_unsqueeze(0)?)?;
            let moved = maps.f_sub(&mean)?.f_mul(&gradient)?;
            let moved = moved.f_sum_dim_intlist(&[1_i64][..], true, Kind::Float)?;
            total = total.f_add(&on_grid(&moved, side as i64)?.f_squeeze()?)?;
        }
        Ok(total.f_relu()?)
    }

    /// `[1, C, H, W]` after each pooling, fp32.
    fn maps_at_cut_points(&self, image: &Tensor) -> Result<Vec<Tensor>> {
        let mut maps = Vec::new();
        let _last = self.run(image, 0..LAYERS.len(), Some(Taken::Maps), &mut maps)?;
        maps.iter().map(|maps| convert(maps, Kind::Float)).collect()
    }
}

/// A map `[1, 1, H, W]` on a grid of `side` × `side`: means of finer cells, values between coarser
/// ones. Either way the mean over the map stays what it was, so that maps of any size may be added.
fn on_grid(map: &Tensor, side: i64) -> Result<Tensor> {
    let own = map.size()[2];
    if own >= side {
        return Ok(map.f_adaptive_avg_pool2d([side, side])?);
    }
    Ok(map.f_upsample_bilinear2d([side, side], false, None, None)?)
}
