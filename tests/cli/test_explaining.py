"""`experiments explain` writes a folder, and refuses mistakes in one line."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image

from experiments import journal
from experiments.cli.explaining import explain
from experiments.errors import InputError
from experiments.explaining import attributions
from experiments.explaining.folder import check_output
from experiments.inference.trained import Trained

pytestmark = pytest.mark.xdist_group("inference")


@pytest.fixture(autouse=True)
def _in_the_project(seeds_sweep: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(seeds_sweep)
    monkeypatch.setattr(sys, "path", [*sys.path])


def test_the_files_are_kept_with_the_run(
    members: Sequence[Trained], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = members[0].folder
    try:
        explain(members[0].id[:8], as_json=True)
        told = json.loads(capsys.readouterr().out)
        assert told["folder"] == f"outputs/sweep/{folder.name}/explain"
        assert (told["mlflow_ids"], told["problem"]) == ([], None)  # tracking=none
        names = {f"explain/{file.name}" for file in (folder / "explain").iterdir()}
        assert {"explain/index.html", "explain/summary.json"} < names
        assert names <= journal.history(folder).artifacts
        written = json.loads((folder / "explain" / "summary.json").read_text())
        assert written.items() <= told.items()
    finally:
        shutil.rmtree(folder / "explain", ignore_errors=True)


def test_elsewhere_it_is_only_files(
    members: Sequence[Trained], digits, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(255 - digits.test.images[0].numpy()).save(tmp_path / "a.png")
    before = journal.history(members[0].folder).artifacts
    explain(str(members[0].folder), [tmp_path / "a.png"], output=tmp_path / "told")
    quality, picture, complete, place = capsys.readouterr().out.splitlines()
    assert quality.startswith("Test accuracy ")
    assert picture.startswith(f"{tmp_path / 'a.png'}: ")
    assert picture.endswith(" %, inverted)")
    assert complete.startswith("Integrated gradients are complete: ")
    assert Path(place).resolve() == (tmp_path / "told" / "index.html").resolve()
    assert (tmp_path / "told" / "attributions.png").exists()
    check_output(tmp_path / "told")  # it may be replaced
    (tmp_path / "told" / "summary.json").write_text('{"kind": "other"}')
    with pytest.raises(InputError, match="holds other files"):
        check_output(tmp_path / "told")
    assert not (members[0].folder / "explain").exists()
    assert journal.history(members[0].folder).artifacts == before


def test_mistakes_are_refused_and_nothing_is_made(
    seeds_sweep: Path, members: Sequence[Trained], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, text = members[0].id, tmp_path / "text.png"
    text.write_text("no image")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for arguments, output, said in (
        (("nowhere",), None, "nowhere: no run in outputs"),
        ((str(seeds_sweep / "outputs" / "sweep"),), None, "is a sweep; name one of its runs"),
        ((run, [text]), None, "is not an image"),
        ((run, [tmp_path / "no.png"]), None, "there is no such file"),
        ((run,), text, "is a file; name a folder"),
        ((run,), tmp_path / "no" / "told", "make it first"),
        ((run,), tmp_path, "holds other files, which might be overwritten; name a new"),
        ((run,), link, "is a link; name the folder itself"),
    ):
        with pytest.raises(InputError, match=said):
            explain(*arguments, output=output)
    monkeypatch.setattr(attributions, "find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"pip install -c constraints.txt -e '.\[explain\]'"):
        explain(run)
    assert not (members[0].folder / "explain").exists()


def test_a_run_without_weights_is_refused(members: Sequence[Trained], tmp_path: Path) -> None:
    shutil.copytree(members[0].folder, tmp_path / "run")
    (tmp_path / "run" / "weights.safetensors").unlink()
    with pytest.raises(InputError, match=r"weights.safetensors: there is no such file"):
        explain(str(tmp_path / "run"))
