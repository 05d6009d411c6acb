/// The operations after the convolution's bias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Epilogue {
    /// ReLU.
    Relu,
    /// ReLU, then a 2×2 maximum with stride 2; an odd last row or column is dropped.
    ReluMaxPool,
}
