"""The arguments with which restored code trains a recorded run again.

They are the recorded overrides; the values of config.yaml that the restored conf/ does not give,
since an uncommitted YAML file is in no patch; and places that leave the user's runs untouched.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.composition.run_names import is_noise, key_of
from experiments.config.from_data import FILLED_IN
from experiments.config.run import WITHOUT_EFFECT
from experiments.differences.ingredients import leaves
from experiments.differences.record import Record
from experiments.errors import InputError, RunError
from experiments.redaction.secret_forms import HIDDEN
from experiments.reproducing.training import Ended

_UNSET = ("uri", "register")  # of `tracking`: nothing goes to MLflow
Compose = Callable[[Sequence[str]], Ended]
"""prints the configuration that arguments compose"""


@dataclass(frozen=True)
class Arguments:
    """The arguments of a run, and their origin."""

    overrides: Sequence[str]
    """without places"""
    values: Mapping[str, Any]
    """the configuration that they compose: the resolved values by dotted keys"""
    from_config: Sequence[str]
    """the keys with values from config.yaml"""
    dropped: Sequence[str]
    """the overrides that choose a file which the restored conf/ lacks"""

    def placed(self, outputs: Path, folder: Path, key: str = "hydra.run.dir") -> list[str]:
        """Return all arguments for a run in a folder.

        Args:
            outputs: the folder of all runs, if the code has a setting for it.
            folder: the folder of the run or the sweep.
            key: the setting for this folder.
        """
        places = [f"{key}={written(str(folder))}"]
        if "outputs" in self.values:
            places.append(f"outputs={written(str(outputs))}")
        return [*self.overrides, *places]


def arguments_for(record: Record, given: Sequence[str], conf: Path, compose: Compose) -> Arguments:
    """Return the arguments that give a run's configuration.

    Args:
        record: the run.
        given: further overrides, which replace recorded ones of the same key.
        conf: the folder of the restored configuration files.
        compose: composes the restored configuration.

    Raises:
        InputError: a value of the run is hidden and not given.
        RunError: the restored code refuses the overrides.
    """
    if not record.overrides and not record.config:
        raise RunError(f"{'; '.join(record.missing.values())}: the configuration is unknown")
    replaced = {key_of(each) for each in given}
    own = [text for text in record.overrides if not is_noise(text) and key_of(text) not in replaced]
    _refuse_hidden(own)
    dropped = [text for text in own if _chooses_nothing(text, conf)]
    kept = [*(text for text in own if text not in dropped), *given]
    unset = (f"tracking.{key}" for key in _UNSET)
    known = _composed(compose([]))
    kept += [f"{key}=null" for key in unset if key in known]
    values = _composed(compose(kept))
    changed = dict(_changes(values, record.config, replaced))
    told = list(changed)
    root = values.get("data.root")
    if isinstance(root, str) and not root.startswith(("/", "~", "${")):
        changed["data.root"] = f"data.root={written(str(Path(root).absolute()))}"
    return Arguments([*kept, *changed.values()], values, told, dropped)


def _refuse_hidden(overrides: Sequence[str]) -> None:
    for text in overrides:
        if HIDDEN in text:
            head = text.partition("=")[0]
            raise InputError(
                f"the value of {key_of(text)} is a secret, which overrides.yaml hides; set an "
                f"environment variable, and add {head}='${{oc.env:NAME}}' to the command"
            )


def _chooses_nothing(override: str, conf: Path) -> bool:
    """Return whether an override chooses a file that the configuration lacks."""
    group, _, option = override.lstrip("+").partition("=")
    folder = conf / group.partition("@")[0]
    is_choice = "." not in group and not override.startswith("~") and folder.is_dir()
    return is_choice and option != "null" and not (folder / f"{option}.yaml").exists()


def _composed(ended: Ended) -> dict[str, Any]:
    """Return the values of a printed configuration by dotted keys.

    A value stays an interpolation if only the restored code can resolve it.
    """
    if ended.status:
        raise RunError(f"train.py of the run's code refuses its overrides: {ended.reason}")
    config = OmegaConf.create("\n".join(ended.lines))
    found = leaves(OmegaConf.to_container(config))
    for key, value in found.items():
        if "${" in str(value):
            with contextlib.suppress(OmegaConfBaseException):
                resolved = OmegaConf.select(config, key)
                is_nested = OmegaConf.is_config(resolved)
                found[key] = OmegaConf.to_container(resolved) if is_nested else resolved
    return found


def _changes(
    composed: Mapping[str, Any], recorded: Mapping[str, Any], beside: set[str]
) -> Iterator[tuple[str, str]]:
    """Yield the overrides, by their keys, that turn a composed configuration into the recorded.

    Values that are hidden, or that an interpolation or the program gives, stay as composed.
    """
    now, then = (
        {key: value for key, value in each.items() if _is_told(key, beside)}
        for each in (composed, leaves(recorded))
    )
    for key in now if then else ():
        if key not in then and not any(each.startswith(f"{key}.") for each in then):
            yield key, f"~{key}"
    for key, value in then.items():
        if key in FILLED_IN and now.get(key) is None:
            continue
        shown = f"{value} {now.get(key)}"
        if "${" not in shown and HIDDEN not in shown and (key not in now or now[key] != value):
            yield key, f"++{key}={written(value)}"


def _is_told(key: str, beside: set[str]) -> bool:
    return key.partition(".")[0] not in WITHOUT_EFFECT and key not in beside and bool(key)


def written(value: Any) -> str:
    """Return a value as Hydra's grammar of overrides writes it."""
    if isinstance(value, str):
        return QuotedString(value, Quote.single).with_quotes()
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{written(entry)}" for key, entry in value.items()) + "}"
    return json.dumps(value) if value is None or isinstance(value, bool) else repr(value)
