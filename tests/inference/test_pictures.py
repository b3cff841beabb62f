"""Pictures of every mode become the pixels that one sees; other files are refused in one line."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.errors import InputError
from experiments.inference.pictures import Picture, read_pictures
from experiments.inference.preparation import read_pixels

SHAPE = (1, 2, 3)
GREY = np.array([[0, 50, 100], [150, 200, 255]], np.uint8)


def saved(path: Path, image: Image.Image) -> Path:
    image.save(path)
    return path


@pytest.mark.parametrize(
    ("mode", "name"), [("L", "a.png"), ("P", "a.gif"), ("L", "a.tif"), ("L", "a.bmp")]
)
def test_grey_files_keep_their_bytes(tmp_path: Path, mode: str, name: str) -> None:
    file = saved(tmp_path / name, Image.fromarray(GREY).convert(mode))
    pixels = read_pixels(file)
    assert np.array_equal(pixels if pixels.ndim == 2 else pixels[..., 0], GREY)


def test_one_bit_and_sixteen_bits_become_eight(tmp_path: Path) -> None:
    bits = saved(tmp_path / "bits.png", Image.fromarray(GREY > 120))
    assert read_pixels(bits).tolist() == [[0, 0, 0], [255, 255, 255]]
    deep = saved(tmp_path / "deep.png", Image.fromarray(GREY.astype(np.uint16) * 257))
    assert np.array_equal(read_pixels(deep), GREY)
    floats = saved(tmp_path / "floats.tif", Image.fromarray((GREY / 255).astype(np.float32)))
    assert np.array_equal(read_pixels(floats), GREY)


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
def test_a_transparent_drawing_gets_the_other_background(
    tmp_path: Path, ink: int, paper: int
) -> None:
    image = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    image.putpixel((1, 1), (ink, ink, ink, 255))
    pixels = read_pixels(saved(tmp_path / "drawing.png", image))
    assert pixels[0, 0].tolist() == [paper] * 3
    assert pixels[1, 1].tolist() == [ink] * 3


def test_a_photo_is_turned_as_the_camera_says(tmp_path: Path) -> None:
    image = Image.fromarray(GREY)
    turned = image.getexif()
    turned[0x0112] = 6  # the orientation: turn by 90 degrees
    file = tmp_path / "photo.png"
    image.save(file, exif=turned)
    assert np.array_equal(read_pixels(file), np.rot90(GREY, -1))


def test_a_folder_gives_its_images_by_name(tmp_path: Path) -> None:
    for name in ("b.png", "a.PNG", "deep/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.fromarray(GREY).save(tmp_path / name)
    for name in ("notes.txt", "paper.pdf", "page.eps", "._b.png"):
        (tmp_path / name).write_text("no image")
    (tmp_path / "folder.png").mkdir()
    names = [Path(each.name).name for each in read_pictures([tmp_path], SHAPE)]
    assert names == ["a.PNG", "b.png", "c.jpg"]


@pytest.mark.parametrize("titles", ["", "label,p0,p1,p2,p3,p4,p5\n"])
def test_a_table_gives_pixels_and_labels(tmp_path: Path, titles: str) -> None:
    file = tmp_path / "some.csv"
    file.write_text(f"{titles}7,0,50,100,150,200,255\n3,1,2,3,4,5,6\n")
    first, second = read_pictures([file], SHAPE)
    assert (first.label, second.label) == (7, 3)
    assert np.array_equal(first.pixels, GREY[np.newaxis])
    assert first.is_exact
    file.write_text("0,50,100,150,200,255\n")
    (plain,) = read_pictures([file], SHAPE)
    assert plain.label is None
    assert plain.name == f"{file}:1"
    file.write_text('"0","50","100","150","200","255"\n')
    assert len(read_pictures([file], SHAPE)) == 1


def as_png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(10_000, dtype=np.uint8).reshape(100, 100)).save(file, "PNG")
    return file.getvalue()


REFUSED = {
    "missing.png": (None, r"there is no such file or folder"),
    "text.png": (b"no image", r"is not an image that Pillow can read; give a file such as"),
    "short.png": (as_png()[:200], r"the image is damaged \(.*\); replace the file"),
    "wide.csv": (b"1,2,3\n", r"has 3 columns; the run's pictures have 1 x 2 x 3 = 6 pixels"),
    "words.csv": (b"a,b,c,d,e,f\n1,2,3,4,5,x\n", r"is no table of numbers \("),
    "high.csv": (b"0,0,0,0,0,256\n", r"row 1 has the pixel 256; give whole numbers from 0 to 255"),
    "hole.csv": (b"0,0,0,0,0,\n", r"row 1 has the pixel nan; give whole numbers"),
    "label.csv": (b"3.5,0,0,0,0,0,0\n", r"row 1 has the label 3.5; give whole numbers from 0 on"),
    "numbered.csv": (b"0,1,2,3,4,5\n", r"has no rows"),
    "titles.csv": (b"a,b,c,d,e,f\n", r"has no rows; give a line of 6 pixels"),
    "page.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", r"is not an image"),
    "empty.csv": (b"", r"is no table of numbers"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_other_files_are_refused(tmp_path: Path, name: str) -> None:
    content, reason = REFUSED[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=rf"{name}: {reason}"):
        read_pictures([tmp_path / name], SHAPE)


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the folder holds no image"):
        read_pictures([tmp_path], SHAPE)


def test_a_huge_picture_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 4)
    with pytest.raises(InputError, match="has too many pixels"):
        read_pictures([saved(tmp_path / "huge.png", Image.fromarray(GREY))], SHAPE)


def test_a_picture_has_a_name() -> None:
    assert Picture("a", GREY).label is None
