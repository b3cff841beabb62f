"""The format `onnx`: a graph for ONNX Runtime and other engines, with a program that uses it."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from experiments.exporting.source import INPUT, Answer, Source, untraceable
from experiments.inference import preparation

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

NAME = "model.onnx"
_PROGRAM = "predict_onnx.py"
_PREPARATION = "preparation.py"


def write(source: Source, folder: Path) -> None:
    """Write the model into a folder, with its description inside the file.

    Beside it lies a program that tells the classes of pictures, if the run can do so.

    Raises:
        InputError: the model cannot be traced, has an operation that ONNX lacks, or is too large
            for one file.
    """
    import onnx

    with untraceable("torch.onnx"), torch.no_grad():
        traced = torch.onnx.export(
            source.program,
            input_names=[INPUT],
            output_names=[source.output],
            verbose=False,  # it would print its progress
        )
    assert traced is not None  # noqa: S101  (only with a file as an argument)
    made = traced.model_proto
    onnx.helper.set_model_props(
        made,
        {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in source.description.items()
        },
    )
    with untraceable("onnx", "check and write"):
        onnx.checker.check_model(made, full_check=True)
        onnx.save_model(made, folder / NAME)
    if source.description["preparation"] is not None:
        _write_program(folder)


def _write_program(folder: Path) -> None:
    from experiments.exporting import predict_onnx

    text = inspect.getsource(predict_onnx)
    ours = f"from {preparation.__name__} import"
    assert text.count(ours) == 1  # noqa: S101  (the program needs nothing else of ours)
    (folder / _PROGRAM).write_text(text.replace(ours, "from preparation import"))
    (folder / _PREPARATION).write_text(inspect.getsource(preparation))


def load(folder: Path) -> Answer:
    """Return the model that a folder holds, in full precision."""
    return load_file(folder / NAME)


def load_file(file: Path) -> Answer:
    """Return the model of a file, run by ONNX Runtime on the CPU."""
    session = session_of(file)
    (output,) = session.get_outputs()

    def answer(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run([output.name], {INPUT: images.numpy()})[0])

    return answer


def session_of(file: Path) -> InferenceSession:
    """Return a session of ONNX Runtime on the CPU."""
    from onnxruntime import InferenceSession

    return InferenceSession(str(file), providers=["CPUExecutionProvider"])
