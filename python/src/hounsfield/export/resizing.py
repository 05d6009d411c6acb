"""The loader's resizing as a part of an exported network: every pixel is the same."""

import torch

from .. import hounsfield_model

# The loader's limits for pixels of 8 bits: the most bits after the point, and the bits of a weight.
MOST, WIDTH = 22, 15


def resized(pixels: torch.Tensor, size: int, interpolation: str) -> torch.Tensor:
    """Pictures [N, H, W, 3] of uint8 as levels [N, 3, S, S], like `hounsfield_model.resize`: columns first.

    All sums are whole numbers below 2**53, so that they are exact in f64. ONNX's own Resize rounds at
    other places, and is off by a level here and there.
    """
    x = pixels.permute(0, 3, 1, 2).double()
    weights, power = integer_weights(x[0, 0, :, 0], size, interpolation)
    x = levels(weights @ x, power)
    weights, power = integer_weights(x[0, 0, 0, :], size, interpolation)
    return levels(x @ weights.T, power).float()


def levels(sums: torch.Tensor, power: torch.Tensor) -> torch.Tensor:
    return ((sums + power / 2) / power).floor().clamp(0.0, 255.0)


def integer_weights(line: torch.Tensor, size: int, interpolation: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The filter's weights [size, length] for lines as long as this one, and the power of two that they stand for.

    The same steps as the loader's, without a loop, so that the length stays open in the exported file.
    """
    shape, support = {"bilinear": (triangle, 1.0), "bicubic": (cubic, 2.0)}[interpolation]
    assert hounsfield_model.FILTERS[interpolation][1] == support
    ones = torch.ones_like(line)
    # Of one dimension and not of none: what has none is exported in fp32.
    scale = ones.sum(dim=0, keepdim=True) / size
    stretch = scale.clamp_min(1.0)
    centres = (torch.arange(size, dtype=torch.float64) + 0.5) * scale
    places = ones.cumsum(0) - 1
    weights = shape((places - (centres - 0.5).unsqueeze(1)) * (1.0 / stretch))
    weights = weights / weights.sum(dim=1, keepdim=True)
    # Bits are added until the largest weight would not fit.
    powers = torch.tensor([2.0 ** (bits + 1) for bits in range(MOST - 1)], dtype=torch.float64)
    fits = (weights.amax(dim=(0, 1)).reshape(1) * powers + 0.5).floor() < 2.0**WIDTH
    power = torch.where(fits, 2.0 * torch.ones_like(powers), torch.ones_like(powers)).prod(dim=0, keepdim=True)
    scaled = weights * power
    return scaled.sign() * (scaled.abs() + 0.5).floor(), power


def triangle(x: torch.Tensor) -> torch.Tensor:
    return (1.0 - x.abs()).clamp_min(0.0)


def cubic(x: torch.Tensor) -> torch.Tensor:
    """As the loader's: cubic convolution with a = −0.5, in the same order of operations."""
    x = x.abs()
    near = ((-0.5 + 2.0) * x - (-0.5 + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * -0.5
    return torch.where(x < 1.0, near, torch.where(x < 2.0, far, torch.zeros_like(x)))
