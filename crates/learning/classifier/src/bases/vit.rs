//! Vision transformers (Dosovitskiy et al. 2021) as DINOv2 trained them (Oquab et al. 2024), without
//! and with registers (Darcet et al. 2024).

use tch::Tensor;

use super::convolution::{Convolution, Padding};
use super::layer_norm::{LayerNorm, Linear, gelu};
use super::operation::{Operation, Weights};
use super::{Base, Form, INPUT_CHANNELS, Layer, Published};
use crate::tensor_spec::{Fresh, TensorSpec};
use crate::{BaseInput, Result};

const PATCH: usize = 14;
const CHANNELS: usize = 384;
const BLOCKS: usize = 12;
const HEADS: usize = 6;
/// The image size that the positions were trained for.
const TRAINED_SIZE: usize = 518;
const TRAINED_SIDE: usize = TRAINED_SIZE / PATCH;

pub(super) fn vit_small_patch14_dinov2() -> Base {
    let name = "vit_small_patch14_dinov2";
    with_registers(0, name, "DINOv2 ViT-S/14", "timm/vit_small_patch14_dinov2.lvd142m")
}

pub(super) fn vit_small_patch14_reg4_dinov2() -> Base {
    let (name, title) = ("vit_small_patch14_reg4_dinov2", "DINOv2 ViT-S/14 with registers");
    with_registers(4, name, title, "timm/vit_small_patch14_reg4_dinov2.lvd142m")
}

fn with_registers(
    registers: usize,
    name: &'static str,
    title: &'static str,
    repository: &'static str,
) -> Base {
    let mut layers = vec![Layer::new("patch_embed", 0, Embedding::new(registers))];
    for block in 0..BLOCKS {
        let own = format!("blocks.{block}");
        // Four stages of three blocks.
        let stage = block / 3;
        let share = block as f64 / (BLOCKS - 1) as f64;
        let layer = Layer::new(own.clone(), stage, Block::new(&own, share));
        let is_cut = block % 3 == 2 && block + 1 < BLOCKS;
        layers.push(if is_cut { layer.cut(own) } else { layer });
    }
    layers.push(Layer::new("norm", 3, LayerNorm::new("norm", CHANNELS)).cut("norm"));
    let usual = Published::usual(repository, "Apache-2.0");
    let input = BaseInput { image_size: Some(TRAINED_SIZE as u32), ..usual.input };
    Base {
        size_unit: PATCH as u32,
        form: Form::Tokens { prefix: 1 + registers },
        // The normalisation at the end is above them.
        explained_layers: layers.len() - 1,
        ..Base::of_maps(name, title, Published { input, ..usual }, layers)
    }
}

impl Operation for LayerNorm {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        self.tensor_specs()
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        input.to_vec()
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        self.run(x, weights)
    }
}

/// A token for each patch of the image with its position, after those that have no place: the class
/// token, and the registers.
#[derive(Debug)]
struct Embedding {
    patches: Convolution,
    class_token: TensorSpec,
    registers: Option<TensorSpec>,
    positions: TensorSpec,
}

impl Embedding {
    fn new(registers: usize) -> Self {
        let normal = |name: &str, tokens, deviation| {
            TensorSpec::new(name, &[1, tokens, CHANNELS]).fresh(Fresh::Normal(deviation))
        };
        let patches = Convolution::new("patch_embed.proj", (INPUT_CHANNELS, CHANNELS), PATCH);
        // With registers, the class token has no position of its own.
        let positions = TRAINED_SIDE * TRAINED_SIDE + usize::from(registers == 0);
        Self {
            patches: patches.stride(PATCH).padding(Padding::Valid),
            class_token: normal("cls_token", 1, 1e-6),
            registers: (registers > 0).then(|| normal("reg_token", registers, 1e-6)),
            positions: normal("pos_embed", positions, 0.02),
        }
    }

    /// The positions of a square of `side` × `side` patches, `[1, side², C]`, and that of the class
    /// token, `[1, 1, C]`.
    fn positions(&self, side: i64, weights: &Weights<'_>) -> Result<(Tensor, Option<Tensor>)> {
        let all = weights.get(&self.positions.name)?;
        let of_class = i64::from(self.registers.is_none());
        let of_patches = all.f_narrow(1, of_class, all.size()[1] - of_class)?;
        let of_class = (of_class > 0).then(|| all.f_narrow(1, 0, 1)).transpose()?;
        let (trained, channels) = (TRAINED_SIDE as i64, CHANNELS as i64);
        if side == trained {
            return Ok((of_patches, of_class));
        }
        // As timm's resample_abs_pos_embed: bicubic with antialiasing, in fp32.
        let square = of_patches.f_to_kind(tch::Kind::Float)?;
        let square = square.f_reshape([1, trained, trained, channels])?.f_permute([0, 3, 1, 2])?;
        let resized = square.f_internal_upsample_bicubic2d_aa(
            [side, side],
            false,
            None::<f64>,
            None::<f64>,
        )?;
        let resized = resized.f_permute([0, 2, 3, 1])?.f_reshape([1, side * side, channels])?;
        Ok((resized.f_to_kind(all.kind())?, of_class))
    }
}

impl Operation for Embedding {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let tokens = [&self.class_token].into_iter().chain(&self.registers);
        let mut specs: Vec<TensorSpec> = tokens.chain([&self.positions]).cloned().collect();
        specs.extend(self.patches.tensor_specs());
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        let registers = self.registers.as_ref().map_or(0, |spec| spec.shape[1]);
        let patches: usize = self.patches.output_shape(input)[1..].iter().product();
        vec![1 + registers + patches, CHANNELS]
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let maps = self.patches.run(x, weights)?;
        let (images, side) = (maps.size()[0], maps.size()[2]);
        let patches = maps.f_flatten(2, -1)?.f_transpose(1, 2)?;
        let (of_patches, of_class) = self.positions(side, weights)?;
        let mut class = weights.get(&self.class_token.name)?;
        if let Some(position) = of_class {
            class = class.f_add(&position)?;
        }
        let each = |token: Tensor| token.f_expand([images, -1, -1], false);
        let mut tokens = vec![each(class)?];
        if let Some(registers) = &self.registers {
            tokens.push(each(weights.get(&registers.name)?)?);
        }
        tokens.push(patches.f_add(&of_patches)?);
        Ok(Tensor::f_cat(&tokens, 1)?)
    }

    fn convolutions(&self) -> Vec<&Convolution> {
        vec![&self.patches]
    }
}

/// Attention between all tokens, then two dense layers on each; both are scaled and added.
#[derive(Debug)]
struct Block {
    attention_norm: LayerNorm,
    queries_keys_values: Linear,
    project: Linear,
    attention_scale: TensorSpec,
    dense_norm: LayerNorm,
    widen: Linear,
    narrow: Linear,
    dense_scale: TensorSpec,
    depth_share: f64,
}

impl Block {
    fn new(name: &str, depth_share: f64) -> Self {
        let part = |part: &str| format!("{name}.{part}");
        let scale =
            |name: &str| TensorSpec::new(part(name), &[CHANNELS]).fresh(Fresh::Constant(1e-5));
        Self {
            attention_norm: LayerNorm::new(part("norm1"), CHANNELS),
            queries_keys_values: Linear::new(part("attn.qkv"), CHANNELS, 3 * CHANNELS),
            project: Linear::new(part("attn.proj"), CHANNELS, CHANNELS),
            attention_scale: scale("ls1.gamma"),
            dense_norm: LayerNorm::new(part("norm2"), CHANNELS),
            widen: Linear::new(part("mlp.fc1"), CHANNELS, 4 * CHANNELS),
            narrow: Linear::new(part("mlp.fc2"), 4 * CHANNELS, CHANNELS),
            dense_scale: scale("ls2.gamma"),
            depth_share,
        }
    }

    fn attend(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let (images, tokens, _) = x.size3()?;
        let (heads, channels) = (HEADS as i64, CHANNELS as i64);
        let all = self.queries_keys_values.run(x, weights)?;
        let all = all.f_reshape([images, tokens, 3, heads, channels / heads])?;
        let all = all.f_permute([2, 0, 3, 1, 4])?;
        let [queries, keys, values] = [0, 1, 2].map(|part| all.f_select(0, part));
        let attended = Tensor::f_scaled_dot_product_attention(
            &queries?,
            &keys?,
            &values?,
            None::<&Tensor>,
            0.0,
            false,
            None,
            false,
        )?;
        let joined = attended.f_transpose(1, 2)?.f_reshape([images, tokens, channels])?;
        self.project.run(&joined, weights)
    }

    /// A branch's result, scaled, added to its input.
    fn add(
        &self,
        x: &Tensor,
        mut branch: Tensor,
        scale: &TensorSpec,
        weights: &Weights<'_>,
    ) -> Result<Tensor> {
        let scale = weights.get(&scale.name)?;
        if branch.requires_grad() || x.requires_grad() || scale.requires_grad() {
            let scaled = branch.f_mul(&scale)?;
            return Ok(weights.drop_branch(scaled, self.depth_share)?.f_add(x)?);
        }
        // In the memory that is there: new memory for each result takes longer than the sums.
        let scaled = branch.f_mul_(&scale)?;
        Ok(weights.drop_branch(scaled, self.depth_share)?.f_add_(x)?)
    }
}

impl Operation for Block {
    fn tensor_specs(&self) -> Vec<TensorSpec> {
        let mut specs = self.attention_norm.tensor_specs();
        specs.extend(self.queries_keys_values.tensor_specs());
        specs.extend(self.project.tensor_specs());
        specs.push(self.attention_scale.clone());
        specs.extend(self.dense_norm.tensor_specs());
        specs.extend(self.widen.tensor_specs());
        specs.extend(self.narrow.tensor_specs());
        specs.push(self.dense_scale.clone());
        specs
    }

    fn output_shape(&self, input: &[usize]) -> Vec<usize> {
        input.to_vec()
    }

    fn has_branch(&self) -> bool {
        true
    }

    fn run(&self, x: &Tensor, weights: &Weights<'_>) -> Result<Tensor> {
        let attended = self.attend(&self.attention_norm.run(x, weights)?, weights)?;
        let x = self.add(x, attended, &self.attention_scale, weights)?;
        let wide = gelu(self.widen.run(&self.dense_norm.run(&x, weights)?, weights)?)?;
        self.add(&x, self.narrow.run(&wide, weights)?, &self.dense_scale, weights)
    }
}
