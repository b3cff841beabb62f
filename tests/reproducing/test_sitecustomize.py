"""Restored code takes the place of the present code on the path of every process."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

from experiments.reproducing import training
from tests.conftest import command

PRINT = "import json, sys; print(json.dumps(sys.path))"


def path_of(tmp_path: Path, *entries: Path, program: str = PRINT) -> str:
    (tmp_path / "path").mkdir(exist_ok=True)
    shutil.copy(Path(training.__file__).with_name("sitecustomize.py"), tmp_path / "path")
    places = {
        "top": str(tmp_path / "top"),
        "code": str(tmp_path / "code"),
        "project": str(tmp_path / "code"),
    }
    for name in ("top/src/experiments", "code/src/experiments", "other/experiments"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "__init__.py").touch()
    done = command(
        *(sys.executable, "-c", program),
        cwd=tmp_path,
        PYTHONPATH=os.pathsep.join(map(str, (tmp_path / "path", *entries))),
        EXPERIMENTS_RESTORED=json.dumps(places),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_entries_of_the_present_code_lead_to_the_restored(tmp_path: Path) -> None:
    given = [tmp_path / name for name in ("top/src", "beside", "other", "top/lib")]
    found = json.loads(path_of(tmp_path, *given))
    own = [entry for entry in found if entry.startswith(str(tmp_path))]
    assert own == [str(tmp_path / name) for name in ("code/src", "beside", "code/lib")]
    # Asked of a new process: packages that other tests import may extend this one's path.
    fresh = json.loads(command(sys.executable, "-c", PRINT, cwd=tmp_path).stdout)
    installed = {os.path.realpath(entry) for entry in fresh if "site-packages" in entry}
    assert installed
    assert installed <= {os.path.realpath(entry) for entry in found}


def test_a_child_process_has_the_same_path(tmp_path: Path) -> None:
    program = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {PRINT!r}])"
    found = json.loads(path_of(tmp_path, tmp_path / "top/src", program=program))
    assert str(tmp_path / "code" / "src") in found
    assert str(tmp_path / "top" / "src") not in found


def test_another_module_of_the_name_is_imported_too(tmp_path: Path) -> None:
    (tmp_path / "beside").mkdir()
    (tmp_path / "beside" / "sitecustomize.py").write_text("import sys; sys.seen = True\n")
    program = "import sys; print(sys.seen)"
    assert path_of(tmp_path, tmp_path / "beside", program=program) == "True\n"
