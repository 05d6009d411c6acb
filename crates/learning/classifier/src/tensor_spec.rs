//! The name, the shape and the first values of a tensor that a network requires.

/// A required tensor: timm's or torchvision's name and its shape.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// Such as `features.0.weight`.
    pub name: String,
    /// Such as `[64, 3, 3, 3]` (outputs, inputs, height, width).
    pub shape: Vec<usize>,
    /// Whether any number of rows is allowed, one or more, as for the support vectors of a kernel
    /// head; `shape` then has 1 for them.
    pub has_any_rows: bool,
    /// Its values in a network that was never trained.
    pub(crate) fresh: Fresh,
}

/// The values of a tensor before any training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fresh {
    /// All the same.
    Constant(f32),
    /// Normal, with this standard deviation.
    Normal(f64),
}

impl TensorSpec {
    /// Names a tensor and its shape. Fresh vectors are zero. Fresh kernels of convolutions `[outputs,
    /// inputs, height, width]` are drawn as by He et al. 2015: normal, fan-out, gain √2, as
    /// torchvision initialises VGG.
    pub fn new(name: impl Into<String>, shape: &[usize]) -> Self {
        let fresh = match shape {
            [outputs, _, height, width] => Fresh::he(outputs * height * width),
            _ => Fresh::Constant(0.0),
        };
        Self { name: name.into(), shape: shape.to_vec(), has_any_rows: false, fresh }
    }

    /// Names a matrix of one or more rows, each of `columns` values.
    pub fn with_any_rows(name: impl Into<String>, columns: usize) -> Self {
        let fresh = Fresh::Constant(0.0);
        Self { name: name.into(), shape: vec![1, columns], has_any_rows: true, fresh }
    }

    /// The same with other fresh values.
    pub(crate) fn fresh(self, fresh: Fresh) -> Self {
        Self { fresh, ..self }
    }

    /// Whether a tensor of this shape fits.
    pub fn fits(&self, shape: &[usize]) -> bool {
        match (self.has_any_rows, shape) {
            (true, [rows, rest @ ..]) => *rows > 0 && *rest == self.shape[1..],
            (true, []) => false,
            (false, _) => *shape == self.shape,
        }
    }

    /// Its shape, for people: `[64, 3, 3, 3]`, `[any, 2944]`.
    pub fn shape_in_words(&self) -> String {
        if self.has_any_rows {
            return format!("[any, {}]", self.shape[1]);
        }
        format!("{:?}", self.shape)
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it holds no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Fresh {
    /// He et al. 2015 for a ReLU after `fan_out` values of each input.
    pub(crate) fn he(fan_out: usize) -> Self {
        Self::Normal((2.0 / fan_out as f64).sqrt())
    }
}
