"""Corruptions are exact where they should be, as strong as documented, and always the same."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from experiments.errors import InputError
from experiments.robustness.corruptions import CORRUPTIONS, SEVERITIES, check_names, corrupted
from tests.conftest import PROJECT

GREY, BLACK = (torch.full((40, 28, 28), value, dtype=torch.uint8) for value in (128, 0))


@pytest.fixture(scope="module")
def images(digits) -> Tensor:
    return digits.test.images[:60]


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_severity_0_is_the_image_to_the_bit(name: str, images: Tensor) -> None:
    assert torch.equal(corrupted(images, name, 0, seed=0), images)


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_a_corruption_repeats_its_bits_and_grows_with_its_severity(
    name: str, images: Tensor
) -> None:
    before = images.clone()
    found = [corrupted(images, name, severity, seed=3) for severity in SEVERITIES]
    assert torch.equal(images, before)
    assert all((each.shape, each.dtype) == (images.shape, images.dtype) for each in found)
    assert torch.equal(found[2], corrupted(images, name, 3, seed=3))
    distances = [(each.int() - images.int()).abs().float().mean().item() for each in found]
    assert distances == sorted(set(distances))
    assert distances[0] > 0


DRAWN = set(CORRUPTIONS) - {"gaussian_blur", "scale", "brightness", "contrast"}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_another_seed_draws_other_numbers(name: str, images: Tensor) -> None:
    other = corrupted(images, name, 3, seed=1)
    assert torch.equal(corrupted(images, name, 3, seed=0), other) == (name not in DRAWN)


@pytest.mark.parametrize("shape", [(3, 20, 32), (2, 7, 7), (1, 28, 28)])
def test_images_may_have_any_form(shape: tuple[int, ...]) -> None:
    images = torch.randint(256, (5, *shape), dtype=torch.uint8)
    for name in CORRUPTIONS:
        for severity in (1, 5):
            assert corrupted(images, name, severity, seed=0).shape == images.shape


def test_channels_do_not_matter(images: Tensor) -> None:
    for name in CORRUPTIONS:
        flat = corrupted(images, name, 4, seed=0)
        assert torch.equal(corrupted(images.unsqueeze(1), name, 4, seed=0).squeeze(1), flat)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_strengths_are_the_documented_ones(severity: int) -> None:
    def of(name: str, images: Tensor) -> tuple[Tensor, float]:
        changed = corrupted(images, name, severity, seed=0).float()
        return changed, CORRUPTIONS[name].strengths[severity - 1]

    noisy, deviation = of("gaussian_noise", GREY)
    if deviation < 0.2:  # stronger noise is cut at black and white
        assert (noisy / 255).std() == pytest.approx(deviation, rel=0.03)
    noisy, photons = of("shot_noise", GREY)
    if photons > 10:
        assert (noisy / 255).std() == pytest.approx((128 / 255 / photons) ** 0.5, rel=0.03)
    noisy, share = of("impulse_noise", GREY)
    assert (noisy != 128).float().mean() == pytest.approx(share, rel=0.1)
    assert set(noisy.unique().tolist()) == {0, 128, 255}
    brighter, added = of("brightness", BLACK)
    assert brighter.unique().item() == pytest.approx(255 * added, abs=0.5)
    hidden, side = of("occlusion", BLACK)
    assert (hidden == 128).sum((1, 2)).tolist() == [side**2] * len(BLACK)
    checks = BLACK.clone()
    checks[:, ::2] = 200
    paler, left = of("contrast", checks)
    assert paler.amax() - paler.amin() == pytest.approx(200 * left, abs=1)
    assert paler.mean() == pytest.approx(100, abs=0.5)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_a_dot_moves_as_far_as_documented(severity: int) -> None:
    dots = BLACK.clone()
    dots[:, 14, 14] = 255
    places = corrupted(dots, "translate", severity, seed=0).nonzero()
    assert len(places) == len(dots)
    moves = {tuple(each) for each in (places[:, 1:] - 14).tolist()}
    assert {max(map(abs, each)) for each in moves} == {severity}
    assert len(moves) == 8
    blurred = corrupted(dots, "motion_blur", severity, seed=0)
    lengths = {int((each > 0).sum()) for each in blurred}
    assert lengths == {int(CORRUPTIONS["motion_blur"].strengths[severity - 1])}


def test_the_sizes_of_a_square_lie_at_one_place() -> None:
    found = [corrupted(BLACK, "occlusion", each, seed=0) > 0 for each in SEVERITIES]
    for small, large in itertools.pairwise(found):
        assert not (small & ~large).any()


@pytest.mark.parametrize("name", ["translate", "rotate", "scale"])
def test_the_ground_goes_on_where_an_image_is_moved(name: str, images: Tensor) -> None:
    dark, pale = (corrupted(each, name, 5, seed=0).int() for each in (images, 255 - images))
    assert ((255 - pale) - dark).abs().amax() <= 1
    grey = torch.stack([GREY[:2], BLACK[:2]], 1)  # each channel has its own ground
    assert torch.equal(corrupted(grey, name, 5, seed=0), grey)


def test_names_are_checked() -> None:
    assert check_names(["all"]) == list(CORRUPTIONS)
    assert check_names(["scale", "rotate", "scale"]) == ["scale", "rotate"]
    with pytest.raises(InputError, match=r"--corruptions=foo: there is no such corruption; choose"):
        check_names(["all", "foo"])
    with pytest.raises(InputError, match=r"--corruptions=rotat: .* did you mean rotate\? choose"):
        check_names(["rotat"])


def test_the_page_documents_each_strength() -> None:
    page = (PROJECT / "docs" / "explain.md").read_text()
    for name, kind in CORRUPTIONS.items():
        assert len(kind.strengths) == len(SEVERITIES)
        strengths = ", ".join(f"{each:g}" for each in kind.strengths)
        assert f"| `{name}` | {kind.unit} | {strengths} |" in page
