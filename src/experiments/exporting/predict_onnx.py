"""Tell the classes of pictures by an exported model: `python predict_onnx.py IMAGE...`.

It needs NumPy, Pillow and ONNX Runtime.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from experiments.inference.preparation import Preparation, read_pixels

_SHOWN = 3  # so many classes of each picture


def main(arguments: list[str] | None = None) -> None:
    """Print a line for each picture, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument("--model", type=Path, default=Path(__file__).parent / "model.onnx")
    parser.add_argument("--background", choices=["auto", "dark", "light"], default="auto")
    parser.add_argument("--json", action="store_true", help="print JSON, for programs")
    given = parser.parse_args(arguments)
    try:
        found = predictions(given.model, given.images, given.background)
    except (OSError, ValueError) as error:
        parser.error(" ".join(str(error).split()))
    if given.json:
        sys.stdout.write(json.dumps(found, indent=2) + "\n")
        return
    for each in found:
        ranked = sorted(each["probabilities"].items(), key=lambda named: -named[1])[:_SHOWN]
        said = ", ".join(f"{name} {100 * probability:.1f} %" for name, probability in ranked)
        sys.stdout.write(f"{each['image']}: {said}\n")


def predictions(model: Path, images: list[Path], background: str) -> list[dict[str, Any]]:
    """Return the class and the probabilities of each picture.

    Args:
        model: the exported file.
        images: files that Pillow can read.
        background: that of the pictures: auto, dark or light.

    Raises:
        OSError: there is no model.
        ValueError: a picture cannot be read or used, or the model is none of ours.
    """
    if not model.is_file():
        raise FileNotFoundError(f"{model}: there is no such file; --model names it")
    session, way, names = _loaded(model, background)
    prepared = [way(_pixels(image)) for image in images]
    batch = np.stack([pixels for pixels, _ in prepared])
    logits = session.run(["logits"], {"images": batch})[0].astype(np.float64)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    rows = (odds / odds.sum(1, keepdims=True)).tolist()
    return [
        {
            "image": str(image),
            "class": names[row.index(max(row))],
            "probabilities": dict(zip(names, row, strict=True)),
            "inverted": is_inverted,
        }
        for image, row, (_, is_inverted) in zip(images, rows, prepared, strict=True)
    ]


def _loaded(
    model: Path, background: str
) -> tuple[onnxruntime.InferenceSession, Preparation, list[str]]:
    """Return a model, the preparation of its pictures and the names of its classes."""
    try:
        session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    except Exception as error:  # those of ONNX Runtime have no class in common
        raise ValueError(f"--model={model}: ONNX Runtime cannot load it ({error})") from error
    facts = session.get_modelmeta().custom_metadata_map
    try:
        way = Preparation(**{**json.loads(facts["preparation"]), "background": background})
        return session, way, list(json.loads(facts["classes"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"--model={model}: does not tell its classes and the preparation of pictures; name a "
            "file of `experiments export --format onnx`, made of a run that classifies pictures"
        ) from error


def _pixels(path: Path) -> np.ndarray:
    try:
        return read_pixels(path)
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


if __name__ == "__main__":
    main()
