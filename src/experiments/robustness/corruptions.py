"""Corruptions of images, each in five severities.

The kinds are those of MNIST-C (Mu and Gilmer, 2019) and ImageNet-C (Hendrycks and Dietterich,
2019). The strengths of the noises and of the contrast are those of ImageNet-C. Strengths in pixels
are meant for images of 28x28 pixels and grow with the shorter side of an image.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn.functional import conv2d, pad
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as transforms

from experiments.errors import InputError, did_you_mean

SEVERITIES = (1, 2, 3, 4, 5)
_CHUNK = 1000  # images at once: their floats fit the cache
_SIDE = 28
_GREY = 0.5


@dataclass(frozen=True)
class Corruption:
    """A kind of corruption."""

    apply: Callable[[Tensor, float, Generator], Tensor]
    """takes and returns float32 (B, C, H, W), 0 to 1; the result may lie outside"""
    strengths: Sequence[float]
    """one for each severity"""
    unit: str
    """the meaning of the strengths"""


def corrupted(images: Tensor, name: str, severity: int, seed: int) -> Tensor:
    """Return corrupted images of the same form.

    Equal arguments give equal bits. The severities of a kind share their random numbers, so that
    they differ in the strength alone; those of `shot_noise` do not, whose draws depend on it.

    Args:
        images: bytes (N, H, W) or (N, C, H, W), on the CPU.
        name: a key of `CORRUPTIONS`.
        severity: 1 to 5; 0 returns the images as they are.
        seed: of the random numbers.
    """
    if severity == 0:
        return images
    kind = CORRUPTIONS[name]
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    generator = Generator().manual_seed(int.from_bytes(digest[:8]) >> 1)
    strength = kind.strengths[severity - 1]
    found = torch.empty_like(images)
    for part, target in zip(*(torch.split(each, _CHUNK) for each in (images, found)), strict=True):
        shaped = part if part.dim() == 4 else part.unsqueeze(1)
        changed = kind.apply(shaped.float() / 255, strength, generator)
        target.copy_((changed.clamp(0, 1) * 255).round().view(part.shape))
    return found


def check_names(names: Sequence[str]) -> list[str]:
    """Return the names of corruptions; `all` stands for all of them.

    Raises:
        InputError: there is no such corruption.
    """
    known = [*CORRUPTIONS, "all"]
    for name in names:
        if name not in known:
            question = did_you_mean(name, known)
            near = f"{question} " if question.startswith("did") else ""
            raise InputError(
                f"--corruptions={name}: there is no such corruption; {near}choose from "
                f"{', '.join(known)}"
            )
    return list(CORRUPTIONS if "all" in names else dict.fromkeys(names))


def _pixels(images: Tensor, strength: float) -> float:
    return strength * min(images.shape[-2:]) / _SIDE


def _drawn(images: Tensor, choices: int, generator: Generator) -> Tensor:
    """Return a choice for each image, int64 (B)."""
    return torch.randint(choices, (len(images),), generator=generator)


def _by_choice(
    images: Tensor, choices: int, generator: Generator, change: Callable[[Tensor, int], Tensor]
) -> Tensor:
    """Return images that are changed by one of several choices, drawn for each image."""
    drawn = _drawn(images, choices, generator)
    found = torch.empty_like(images)
    for choice in range(choices):
        places = drawn == choice
        if places.any():
            found[places] = change(images[places], choice)
    return found


def _gaussian_noise(images: Tensor, deviation: float, generator: Generator) -> Tensor:
    # torchvision's own noise takes no generator.
    return images + deviation * torch.randn(images.shape, generator=generator)


def _shot_noise(images: Tensor, photons: float, generator: Generator) -> Tensor:
    return torch.poisson(images * photons, generator) / photons


def _impulse_noise(images: Tensor, share: float, generator: Generator) -> Tensor:
    drawn = torch.rand(images.shape, generator=generator)
    return torch.where(drawn < share, (drawn < share / 2).float(), images)


def _gaussian_blur(images: Tensor, sigma: float, _: Generator) -> Tensor:
    width = _pixels(images, sigma)
    reach = min(max(1, round(3 * width)), min(images.shape[-2:]) - 1)
    blurred: Tensor = transforms.gaussian_blur(images, [2 * reach + 1] * 2, [width, width])
    return blurred


def _motion_blur(images: Tensor, length: float, generator: Generator) -> Tensor:
    """Return means along a line through each pixel, in one of four directions."""
    reach = max(1, round((_pixels(images, length) - 1) / 2))
    line = torch.eye(2 * reach + 1)
    across = torch.zeros_like(line)
    across[reach] = 1
    lines = [line, line.flip(1), across, across.T]

    def change(chosen: Tensor, choice: int) -> Tensor:
        kernel = lines[choice].expand(1, 1, -1, -1) / (2 * reach + 1)
        flat = chosen.flatten(0, 1).unsqueeze(1)
        return conv2d(pad(flat, [reach] * 4, mode="replicate"), kernel).view_as(chosen)

    return _by_choice(images, len(lines), generator, change)


def _affine(
    images: Tensor, *, angle: float = 0, shift: Sequence[int] = (0, 0), scale: float = 1
) -> Tensor:
    """Return images that are moved; the median of the border fills the ground."""
    ground = _ground(images)
    moved: Tensor = transforms.affine(
        images - ground,  # its own fill is one for all images
        angle=angle,
        translate=[float(each) for each in shift],
        scale=scale,
        shear=[0.0, 0.0],
        interpolation=InterpolationMode.BILINEAR,
    )
    return moved + ground


def _ground(images: Tensor) -> Tensor:
    """Return the median of the border of each image and channel, float32 (B, C, 1, 1)."""
    rows, columns = images[:, :, [0, -1]], images[:, :, 1:-1, [0, -1]]
    border = torch.cat([rows.flatten(2), columns.flatten(2)], 2)
    return border.median(2).values[:, :, None, None]


def _translate(images: Tensor, distance: float, generator: Generator) -> Tensor:
    """Return images that are shifted in one of eight directions."""
    by = max(1, round(_pixels(images, distance)))
    ways = [(x, y) for x in (-by, 0, by) for y in (-by, 0, by) if (x, y) != (0, 0)]
    return _by_choice(
        images, len(ways), generator, lambda chosen, way: _affine(chosen, shift=ways[way])
    )


def _rotate(images: Tensor, degrees: float, generator: Generator) -> Tensor:
    signs = (-1, 1)
    return _by_choice(
        images, 2, generator, lambda chosen, way: _affine(chosen, angle=signs[way] * degrees)
    )


def _scale(images: Tensor, factor: float, _: Generator) -> Tensor:
    return _affine(images, scale=factor)


def _brightness(images: Tensor, added: float, _: Generator) -> Tensor:
    return images + added  # torchvision multiplies, which leaves a black ground black


def _contrast(images: Tensor, factor: float, _: Generator) -> Tensor:
    # Each channel alone, as in ImageNet-C; so any number of channels will do.
    flat = images.flatten(0, 1).unsqueeze(1)
    changed: Tensor = transforms.adjust_contrast(flat, factor)
    return changed.view_as(images)


def _occlusion(images: Tensor, side: float, generator: Generator) -> Tensor:
    """Return images with a grey square at a drawn place."""
    height, width = images.shape[-2:]
    size = min(max(1, round(_pixels(images, side))), height, width)
    # A share of the way is drawn, so that all sizes lie at the same place.
    top, left = (
        (torch.rand(len(images), 1, generator=generator) * (length - size + 1)).long()
        for length in (height, width)
    )
    rows, columns = torch.arange(height), torch.arange(width)
    down = (rows >= top) & (rows < top + size)
    across = (columns >= left) & (columns < left + size)
    hidden = (down.unsqueeze(2) & across.unsqueeze(1)).unsqueeze(1)
    return torch.where(hidden, torch.tensor(_GREY), images)


CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian_noise": Corruption(
        _gaussian_noise, (0.08, 0.12, 0.18, 0.26, 0.38), "standard deviation, white is 1"
    ),
    "shot_noise": Corruption(_shot_noise, (60, 25, 12, 5, 3), "photons in a white pixel"),
    "impulse_noise": Corruption(
        _impulse_noise, (0.03, 0.06, 0.09, 0.17, 0.27), "share of pixels that are black or white"
    ),
    "gaussian_blur": Corruption(
        _gaussian_blur, (0.5, 0.75, 1, 1.5, 2), "standard deviation in pixels"
    ),
    "motion_blur": Corruption(_motion_blur, (3, 5, 7, 9, 11), "length in pixels"),
    "translate": Corruption(_translate, (1, 2, 3, 4, 5), "pixels"),
    "rotate": Corruption(_rotate, (10, 20, 30, 40, 50), "degrees, either way"),
    "scale": Corruption(_scale, (0.9, 0.8, 0.7, 0.6, 0.5), "factor"),
    "brightness": Corruption(_brightness, (0.1, 0.2, 0.3, 0.4, 0.5), "added, white is 1"),
    "contrast": Corruption(
        _contrast, (0.4, 0.3, 0.2, 0.1, 0.05), "share of the difference from the mean that is left"
    ),
    "occlusion": Corruption(_occlusion, (4, 6, 8, 10, 12), "side of a grey square in pixels"),
}
"""the kinds by their names"""
