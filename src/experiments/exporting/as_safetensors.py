"""The format `safetensors`: the weights, with all that builds their model without our package."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import inspect
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from experiments.config.from_data import with_values
from experiments.errors import InputError, RunError, text_of
from experiments.exporting import load_weights
from experiments.exporting.source import Answer, Source
from experiments.files.owners import owner_of
from experiments.provenance.origin import version
from experiments.registry.integrity import WEIGHTS
from experiments.target_classes import resolve_model
from experiments.target_classes.calling import with_tensors

_CONFIG, _CODE, _LOADER, _README = "config.json", "model.py", "load_weights.py", "README.md"
_OURS = "experiments"
_TEXT = """# {name}

The weights of a run of {data} ({run}), with its model.

- `weights.safetensors`: the tensors by their names in the model
- `config.json`: the class and its arguments, the shape of images, the normalisation, the classes
- `load_weights.py`: builds the model
{code}
Needs: `pip install {requirements}`{modules}

```python
from load_weights import load, normalise

model = load()
{output} = model(normalise(images))  # images: uint8 (N, {shape})
```
"""


def write(source: Source, folder: Path) -> None:
    """Write the weights, the description of their model and a program that loads it into a folder.

    Raises:
        InputError: there is no source of the model's class.
    """
    settings = dict(source.trained.settings["model"])
    target = str(settings.pop("_target_"))
    maker = resolve_model("model", target)
    arguments = with_values({str(key): value for key, value in settings.items()})
    package = maker.__module__.partition(".")[0]
    if package == "torchvision":
        arguments.pop("weights", None)  # those of the file replace them
    needed = {each: version(each) for each in ("torch", "safetensors")}
    is_copied = package == _OURS or _is_the_users(maker)
    if is_copied:
        code = _source_of(maker, target)
        (folder / _CODE).write_text(code)
        packages, modules = _imported(code)
    else:
        packages, modules = _installed([package])
    needed |= {each: version(_distributions()[each][0]) for each in packages}
    typed = with_tensors(maker, arguments)
    told = {
        "model": {
            "class": target,
            "module": maker.__module__,
            "name": maker.__name__,
            "file": _CODE if is_copied else None,
            "arguments": arguments,
            "tensors": [name for name, value in typed.items() if isinstance(value, Tensor)],
        },
        "shape": list(source.trained.shape),
        "normalisation": "images.float() / 127.5 - 1",
        "classes": source.classes,
    }
    (folder / _CONFIG).write_text(json.dumps(told, indent=2) + "\n")
    (folder / _LOADER).write_text(inspect.getsource(load_weights))
    (folder / _README).write_text(_readme(source, needed, modules, is_copied=is_copied))
    shutil.copyfile(source.trained.folder / WEIGHTS, folder / WEIGHTS)


def _readme(source: Source, needed: dict[str, str], modules: list[str], *, is_copied: bool) -> str:
    trained = source.trained
    others = f", and from the place of the run: {', '.join(modules)}" if modules else ""
    return _TEXT.format(
        name=trained.name,
        data=trained.data,
        run=trained.id,
        code=f"- `{_CODE}`: the module of the class\n" if is_copied else "",
        requirements=" ".join(f"{name}=={number}" for name, number in sorted(needed.items())),
        modules=others,
        output=source.output,
        shape=", ".join(map(str, trained.shape)),
    )


def load(folder: Path) -> Answer:
    """Return the model that the program in a folder loads.

    Raises:
        RunError: the program fails.
    """
    spec = importlib.util.spec_from_file_location("exported_loader", folder / _LOADER)
    assert spec is not None and spec.loader is not None  # noqa: S101, PT018  (it is a .py file)
    loader = importlib.util.module_from_spec(spec)
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # the folder is handed on
    try:
        spec.loader.exec_module(loader)
        model = loader.load(folder)
    except Exception as error:
        raise RunError(
            f"model: its module cannot be loaded alone ({type(error).__name__}: {text_of(error)}), "
            "so nothing is exported; let it import nothing relative to its package"
        ) from error
    finally:
        sys.dont_write_bytecode = before

    def answer(images: Tensor) -> Tensor:
        with torch.no_grad():
            outputs: Tensor = model(loader.normalise(images))
        return outputs

    return answer


def _source_of(maker: Callable[..., Any], target: str) -> str:
    try:
        return inspect.getsource(sys.modules[maker.__module__])
    except (OSError, TypeError, KeyError) as error:
        raise InputError(
            f"model._target_={target}: has no source file that could be exported with the weights; "
            "--format=torch_export exports the model without its source"
        ) from error


def _is_the_users(maker: Callable[..., Any]) -> bool:
    file = getattr(sys.modules.get(maker.__module__), "__file__", None)
    return file is None or owner_of(file) == "user"


def _distributions() -> dict[str, list[str]]:
    return dict(importlib.metadata.packages_distributions())


def _imported(code: str) -> tuple[list[str], list[str]]:
    """Return the installed packages and the other modules that a module imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names.update(alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add("." if node.level else str(node.module).partition(".")[0])
    return _installed(sorted(names - set(sys.stdlib_module_names)))


def _installed(names: list[str]) -> tuple[list[str], list[str]]:
    """Return the names that belong to installed packages, and the others."""
    installed = [name for name in names if name in _distributions() and name != _OURS]
    return installed, [name for name in names if name not in installed]
