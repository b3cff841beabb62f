"""The model of an ONNX file with weights and activations of 8 bits, and its accuracy.

The scales of the activations are fixed by images of the training set. ONNX Runtime could also find
them for each batch, but then the answer to an image would depend on the other images of its batch.
The outputs of layers stay float32, so that no logit is cut off at the largest of the calibration.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from experiments.exporting.as_onnx import NAME as FULL
from experiments.exporting.as_onnx import load_file
from experiments.exporting.source import INPUT, Source, untraceable

NAME = "model.int8.onnx"
_CALIBRATION = 10_000  # images at most
_BATCH = 100
_LAYERS = ["Conv", "Gemm", "MatMul"]


def sample(count: int) -> Tensor:
    """Return the places of the images of a calibration among so many, the same each time.

    They are drawn at random: the first images of a sorted data set have few classes, and so may
    images at equal distances.
    """
    drawn = torch.randperm(count, generator=torch.Generator().manual_seed(0))
    return drawn[:_CALIBRATION].sort().values


class _Images:
    """The images of a calibration, in the form of onnxruntime's CalibrationDataReader."""

    def __init__(self, images: NDArray[np.uint8]) -> None:
        self._batches: Iterator[NDArray[np.uint8]] = iter(
            images[start : start + _BATCH] for start in range(0, len(images), _BATCH)
        )

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        """Return the next batch, or None at the end."""
        batch = next(self._batches, None)
        return None if batch is None else {INPUT: batch}


def write(source: Source, folder: Path) -> float:
    """Write the quantised model beside the full one, with both accuracies; return its accuracy.

    Raises:
        InputError: the model cannot be quantised.
    """
    import onnx
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    training = source.training.images
    images = training[sample(len(training))].reshape(-1, *source.trained.shape)
    path = folder / NAME
    with (
        untraceable("onnxruntime", "quantise", "leave out --quantize=int8"),
        tempfile.TemporaryDirectory() as other,
    ):
        prepared = Path(other) / FULL
        quant_pre_process(folder / FULL, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            path,
            _Images(images.numpy()),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            weight_type=QuantType.QInt8,
            activation_type=QuantType.QUInt8,
            op_types_to_quantize=_LAYERS,
            extra_options={"OpTypesToExcludeOutputQuantization": _LAYERS},
        )
    answer = load_file(path)
    outputs = torch.cat([answer(batch) for batch in torch.split(source.images, 1000)])
    accuracy = source.accuracy(outputs)
    made = onnx.load_model(path)
    for key, value in {
        "quantisation": "int8",
        "accuracy": accuracy,
        "accuracy_in_full_precision": source.accuracy(source.expected),
    }.items():
        made.metadata_props.add(key=key, value=str(value))
    onnx.save_model(made, path)
    return accuracy
