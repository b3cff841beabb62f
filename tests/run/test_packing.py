"""A harmful checkpoint header, by any author, is refused before it is used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from experiments.errors import InputError
from experiments.run.checkpoint import FORMAT, Checkpoints
from experiments.run.packing import unpack

MATRIX = torch.arange(6.0).view(2, 3)


@pytest.mark.parametrize(
    "stride",
    [
        *([2**40, 1], [0, 0], [0, 1], [1, 1], [-3, 1], [3, 2], [6, 1], [2**70, 1], [1, 2**63]),
        *([3], [3, 1, 1], ["3", "1"], None, [3.0, 1.5], [None, None], 3),
    ],
    ids=str,
)
def test_strides_that_do_not_fill_the_memory_are_refused(stride: Any) -> None:
    with pytest.raises((ValueError, TypeError)):
        unpack({"tensor": ["matrix", stride]}, {"matrix": MATRIX})


@pytest.mark.parametrize("stride", [(3, 1), (1, 2)])
def test_strides_that_do_are_kept(stride: tuple[int, int]) -> None:
    value = unpack({"tensor": ["matrix", list(stride)]}, {"matrix": MATRIX})
    assert value.stride() == stride
    assert value.equal(MATRIX)


NESTED = '{"tuple": [' * 50_000 + "]}" * 50_000
HEADERS = {
    "no header": None,
    "no JSON": "{",
    "a list": "[]",
    "no format": json.dumps({"identity": "", "state": {"mapping": []}}),
    "a format of text": json.dumps({"format": "x", "identity": "", "state": {"mapping": []}}),
    "no identity": json.dumps({"format": FORMAT, "state": {"mapping": []}}),
    "no state": json.dumps({"format": FORMAT, "identity": ""}),
    "a list for a state": json.dumps({"format": FORMAT, "identity": "", "state": [1]}),
    "a number for a state": json.dumps({"format": FORMAT, "identity": "", "state": 7}),
    "nested": f'{{"format": {FORMAT}, "identity": "", "state": {NESTED}}}',
    "lists nested": f'{{"format": {FORMAT}, "state": {"[" * 200_000 + "]" * 200_000}}}',
    **{
        f"{state}": json.dumps(
            {"format": FORMAT, "identity": "", "state": {"mapping": [["a", state]]}}
        )
        for state in (
            {"tensor": ["nowhere", [1]]},
            {"tensor": ["weight", [2**40]]},
            {"tensor": "weight"},
            {"tensor": [["weight"], [1]]},
            {"mapping": 1},
            {"mapping": [[["unhashable"], 1]]},
            {"unknown": []},
            {"tuple": [], "counter": []},
            {},
        )
    },
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_a_header_of_another_make_is_one_line(tmp_path: Path, header: str | None) -> None:
    content = save({"weight": MATRIX}, metadata=header and {"experiments": header})
    digest = hashlib.sha256(content).hexdigest()[:16]
    path = tmp_path / f"{3:09d}-{digest}.safetensors"
    path.write_bytes(content)
    with pytest.raises(InputError, match=rf"{path.name}: .* or train anew with force=true$"):
        Checkpoints(tmp_path).load()
    assert path.exists()


@pytest.mark.parametrize(
    "content", [b"", b"\0" * 8, b"\xff" * 8, b"\x01" + b"\0" * 7 + b"{", b"x" * 1000], ids=repr
)
def test_a_file_of_another_make_is_one_line(tmp_path: Path, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()[:16]
    (tmp_path / f"{3:09d}-{digest}.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="is no checkpoint of this project"):
        Checkpoints(tmp_path).load()


def test_a_checkpoint_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "000000001-0.safetensors").mkdir()
    with pytest.raises(InputError, match="cannot be read"):
        Checkpoints(tmp_path).load()
    (tmp_path / "000000002-0.safetensors").symlink_to("nowhere")
    with pytest.raises(InputError, match="cannot be read"):
        Checkpoints(tmp_path).load()
