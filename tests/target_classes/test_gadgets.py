"""No key of a configuration makes the program call anything but a part of the right kind."""

from __future__ import annotations

import copy
import importlib
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config import check
from experiments.errors import InputError
from experiments.run.build import assemble
from tests.run.test_lifecycle import configuration

TORCH = "torch.optim.lr_scheduler"
SHELL = "touch {file}"
PYTHON = "__import__('pathlib').Path({file!r}).touch()"
GADGETS: dict[str, dict[str, Any]] = {
    "os.system": {"command": SHELL},
    "posix.system": {"command": SHELL},
    "experiments.app.os.system": {"command": SHELL},
    "os.popen": {"cmd": SHELL},
    "os.mkdir": {"path": "{file}"},
    "subprocess.run": {"args": SHELL, "shell": True},
    "subprocess.call": {"args": SHELL, "shell": True},
    "subprocess.Popen": {"args": SHELL, "shell": True},
    "subprocess.check_output": {"args": SHELL, "shell": True},
    "subprocess.getoutput": {"cmd": SHELL},
    "builtins.open": {"file": "{file}", "mode": "w"},
    "io.open": {"file": "{file}", "mode": "w"},
    "io.FileIO": {"file": "{file}", "mode": "w"},
    "codecs.open": {"filename": "{file}", "mode": "w"},
    "gzip.open": {"filename": "{file}", "mode": "w"},
    "gzip.GzipFile": {"filename": "{file}", "mode": "w"},
    "zipfile.ZipFile": {"file": "{file}", "mode": "w"},
    "tarfile.TarFile": {"name": "{file}", "mode": "w"},
    "dbm.dumb.open": {"file": "{stem}", "flag": "n"},
    "shutil.copyfile": {"src": "{pickled}", "dst": "{file}"},
    "shutil.copytree": {"src": "{folder}", "dst": "{file}"},
    "logging.FileHandler": {"filename": "{file}"},
    "sqlite3.connect": {"database": "{file}"},
    "timeit.timeit": {"stmt": PYTHON, "number": 1},
    "timeit.Timer": {"stmt": PYTHON},
    "cProfile.run": {"statement": PYTHON},
    "runpy.run_path": {"path_name": "{script}"},
    "importlib.import_module": {"name": "evil_module"},
    "pickle.load": {},
    "pickle.loads": {},
    "builtins.eval": {},
    "builtins.exec": {},
    "pandas.read_pickle": {"filepath_or_buffer": "{pickled}"},
    "joblib.load": {"filename": "{pickled}"},
    "numpy.load": {"file": "{pickled}", "allow_pickle": True},
    "numpy.save": {"file": "{file}", "arr": 1},
    "torch.load": {"f": "{torch}", "weights_only": False},
    "torch.save": {"obj": 1, "f": "{file}"},
    "torch.hub.load": {"repo_or_dir": "{folder}", "model": "evil", "source": "local"},
    "torch.hub.load_state_dict_from_url": {"url": "file://{torch}"},
    "torch.jit.load": {"f": "{torch}"},
    "torch.package.PackageExporter": {"f": "{file}"},
    "torch.utils.data.DataLoader": {"dataset": [1]},
    "torch.nn.Module.load_state_dict": {},
    "torch.nn.functional.torch.load": {"f": "{torch}"},
    "torchvision.io.write_file": {"filename": "{file}", "data": [1]},
    "torchvision.datasets.utils.download_url": {"url": "file://{torch}", "root": "{folder}"},
    "torchvision.models.get_model": {"name": "resnet18"},
    "torchmetrics.functional.text.bert_score": {"preds": "a", "target": "b"},
    "torchmetrics.text.BERTScore": {"model_name_or_path": "{folder}"},
    "torchmetrics.image.LearnedPerceptualImagePatchSimilarity": {},
    "torchmetrics.functional.image.lpips.Alexnet": {"pretrained": True},
    "torchmetrics.functional.image.lpips._LPIPS": {"model_path": "{torch}"},
    "functools.partial": {},
    "functools.reduce": {},
    "operator.methodcaller": {},
    "hydra.utils.instantiate": {"config": {"a": 1}},
    "hydra.utils.get_method": {"path": "os.system"},
    "mlflow.pyfunc.load_model": {"model_uri": "{folder}"},
    "mlflow.pytorch.load_model": {"model_uri": "{folder}"},
    "mlflow.log_artifact": {"local_path": "{pickled}"},
    "experiments.run.load_model.load_model": {"folder": "{folder}"},
    "experiments.data.idx.read": {"path": "{pickled}", "dims": 1},
    "yaml.unsafe_load": {"stream": "!!python/object/apply:os.system ['touch {file}']"},
    "pathlib.Path.touch": {"self": "{file}"},
    **{
        f"tests.target_classes.own_gadgets.{name}": {}
        for name in (
            *("write", "renamed", "annotated_otherwise", "annotated_any", "annotated_unknown"),
            *("annotated_optional", "Writing", "WithMeta", "New", "Measure", "pretender"),
            *("bound", "class_bound", "partial", "nameless", "cached", "Method.made"),
        )
    },
}
CALLED = ("os", "subprocess", "builtins.open", "io", "gzip", "zipfile", "logging", "sqlite3")
Values = dict[str, Any]


def sequential(part: Values) -> Values:
    return {
        "_target_": f"{TORCH}.SequentialLR",
        "interval": "epoch",
        "milestones": [1],
        "schedulers": [part, {"_target_": f"{TORCH}.LinearLR"}],
    }


PLACES: dict[str, Callable[[Values, Values], object]] = {
    "data": lambda values, part: values["data"].update(part),
    "model": lambda values, part: values.update(model=part),
    "optimizer": lambda values, part: values.update(optimizer=part),
    "schedule": lambda values, part: values.update(schedule={**part, "interval": "epoch"}),
    "schedule.schedulers.0": lambda values, part: values.update(schedule=sequential(part)),
    "schedule.lr_lambda": lambda values, part: values.update(
        schedule={"_target_": f"{TORCH}.LambdaLR", "interval": "epoch", "lr_lambda": part}
    ),
    "task": lambda values, part: values["task"].update(part),
    "task.loss": lambda values, part: values["task"].update(loss=part),
    "task.metrics.own": lambda values, part: values["task"]["metrics"].update(
        own={**part, "direction": "minimize"}
    ),
    "callbacks.own": lambda values, part: values["callbacks"].update(own=part),
}


class Evil:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.file,)


@pytest.fixture(scope="module")
def base(root: str) -> Values:
    config = configuration(root)
    assemble(config)
    return config.model_dump()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, str]:
    """Write files that write the file `file` when they are loaded, and return their names."""
    file = tmp_path / "executed"
    monkeypatch.setenv("GADGET", str(file))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "evil_module", raising=False)
    source = f"{PYTHON.format(file=str(file))}\ndef evil():\n    return 1\n"
    folder = tmp_path / "folder"
    folder.mkdir()
    for place in (tmp_path / "evil_module.py", folder / "hubconf.py"):
        place.write_text(source)
    pickled, saved = tmp_path / "evil.pkl", tmp_path / "evil.pt"
    pickled.write_bytes(pickle.dumps(Evil(file)))
    torch.save(Evil(file), saved)
    names = {"file": file, "stem": file.with_suffix(""), "pickled": pickled, "torch": saved}
    names |= {"folder": folder, "script": tmp_path / "evil_module.py"}
    return {name: str(path) for name, path in names.items()}


def told(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: told(entry, places) for key, entry in value.items()}
    return value.format(**places) if isinstance(value, str) else value


@pytest.mark.row("`_target_`")
@pytest.mark.parametrize("target", GADGETS)
def test_no_gadget_runs_at_any_key(target: str, base: Values, places: Mapping[str, str]) -> None:
    before = sorted(Path(places["file"]).parent.rglob("*"))
    for key, put in PLACES.items():
        values = copy.deepcopy(base)
        put(values, {"_target_": target, **told(GADGETS[target], places)})
        with pytest.raises(InputError) as caught:
            assemble(check(values))
        line = str(caught.value)
        assert line.startswith(f"{key}._target_={target}: "), line
        assert "\n" not in line
        assert "is not allowed" in line or "to import" in line or "has no" in line
    assert not [
        path
        for path in sorted(Path(places["file"]).parent.rglob("*"))
        if path not in before and "__pycache__" not in path.parts
    ]


REAL = [target for target in GADGETS if GADGETS[target] and target.startswith(CALLED)]


@pytest.mark.parametrize(
    "target",
    [
        *REAL,
        *("runpy.run_path", "importlib.import_module", "joblib.load", "numpy.load"),
        *("pandas.read_pickle", "torch.load", "torch.save", "torch.hub.load", "yaml.unsafe_load"),
        *("timeit.timeit", "cProfile.run", "tarfile.TarFile", "shutil.copytree"),
        *(name for name in GADGETS if "own_gadgets" in name and "renamed" not in name),
    ],
)
def test_the_gadgets_are_real(target: str, places: Mapping[str, str]) -> None:
    """Each of these writes the file if it is called; so the test above can fail."""
    module_name, _, name = target.removesuffix(".made").rpartition(".")
    found = getattr(importlib.import_module(module_name), name)
    found = found.made if target.endswith(".made") else found
    arguments = told(GADGETS[target], places)
    if target.endswith("annotated_any"):
        arguments = {"outputs": 1, "targets": 1}
    made = found(**arguments)
    if target == "subprocess.Popen":
        made.wait()
    if hasattr(made, "close"):
        made.close()
    assert Path(places["file"]).exists()
