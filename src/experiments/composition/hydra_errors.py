"""Turn errors of Hydra and OmegaConf into one line with advice."""

from __future__ import annotations

import traceback
from collections.abc import Sequence

import yaml
from hydra.core.override_parser.types import Override
from hydra.errors import (
    ConfigCompositionException,
    HydraException,
    MissingConfigException,
    OverrideParseException,
)
from omegaconf import DictConfig, Node
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from experiments.errors import InputError, RunError, did_you_mean, shortened
from experiments.redaction.hide import hidden

_ADVICE = {  # by the beginning of the message of Hydra
    "Additional config directory": "name a folder that exists",
    "Config group override": "name an option, such as model=simplenet",
    "Error locating target": "is its module installed, or beside train.py?",
    "Hydra sweeper is not configured": "choose hydra/sweeper=grid",
}
_OPEN = frozenset({"tracking.tags"})  # mappings whose keys the user chooses
_NAMED = {"task/metric": "task.metrics"}
"""the groups whose options the user names, and the mappings of these names"""
TOO_DEEP = (
    "the configuration nests too deeply; write its YAML files, and the values on the command line, "
    "with fewer levels"
)
_LONGEST_LINE = 1000  # characters; the message of a library may hold a whole stack


def in_one_line(error: BaseException) -> str | None:
    """Return an error as a line that the user can act on, or None if it needs a traceback."""
    said = _words(error)
    return said and shortened(" ".join(hidden(said).split()), _LONGEST_LINE)


def _words(error: BaseException) -> str | None:
    match error:
        case InputError() | RunError():
            return str(error)
        case OverrideParseException():
            return _not_an_override(error)
        case MissingConfigException(missing_cfg_file=str(missing), options=options):
            return _no_such_config(missing, options)
        case ConfigCompositionException():
            return _composition(error)
        case yaml.MarkedYAMLError(problem_mark=mark) if mark:
            place = f"{mark.name!s}, line {mark.line + 1}, column {mark.column + 1}"
            return f"{place}: {error.problem}; mend the YAML there"
        case OmegaConfBaseException():
            return _interpolation(error)
        case ValueError(__cause__=InputError() | RunError() as cause):  # from a logging handler
            return str(cause)
        case HydraException() | ValueError() | RuntimeError():
            if override := _override_in(error):
                return f"{override}: names no option; name an option, such as model=simplenet"
            said = str(error).partition(", set env")[0]
            return next(
                (f"{said}; {_ADVICE[key]}" for key in _ADVICE if said.startswith(key)), None
            )
    return None


def _override_in(error: BaseException) -> str | None:
    """Return the override of a group that Hydra refuses without a word about its key."""
    if not str(error).startswith("Config group override must"):
        return None
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    found = frame.f_locals.get("override")
    return found.input_line if isinstance(found, Override) else None


def _not_an_override(error: OverrideParseException) -> str:
    lines = [line for line in error.message.splitlines() if " at '" in line or ": " in line]
    reason = f" ({lines[0]})" if lines else ""
    advice = "close its brackets, or quote it"
    if "=" not in error.override and error.override[:1] not in {"~", "-"}:
        advice = f"write key=value, for example {error.override.lstrip('+')}=1"
    return f"{error.override}: is not a valid override{reason}; {advice}"


def _composition(error: ConfigCompositionException) -> str:
    cause = error.__cause__
    first = str(error).splitlines()[0]
    if isinstance(cause, ConfigAttributeError | ConfigKeyError) and cause.full_key:
        parent, _, name = str(cause.full_key).rpartition(".")
        if parent in _OPEN:
            return f"{cause.full_key}: is new there; write +{parent}.{name}=…, with a +"
        return f"{cause.full_key}: unknown key; {_advice(cause)}"
    if first.startswith("Ambiguous value"):
        override = first.partition("'")[2].rstrip("'")
        key, _, values = override.partition("=")
        as_list = f"; a list is written {key}=[{values}]" if "." in key else ""
        return f"{override}: several values for one run; add -m to sweep over them{as_list}"
    if first.startswith("Could not override"):
        return _without_default(first.split("'")[1], str(error).rpartition("=")[2])
    if first.startswith("Could not delete from config"):
        return _not_removed(first)
    if first.startswith("Multiple values for"):
        group = first.removeprefix("Multiple values for ").partition(".")[0]
        return f"{group}: has a value already; write {group}=… once, without a +"
    if "multirun" in first:
        return f"{first}; add -m to sweep"
    if first.startswith("Error merging override ") and isinstance(cause, OmegaConfBaseException):
        return f"{first.removeprefix('Error merging override ')}: {str(cause).splitlines()[0]}"
    return f"{first} {cause or ''}"


def _advice(error: OmegaConfBaseException) -> str:
    """Return the advice for an unknown key, which may be an argument that no file names."""
    key, node = str(error.full_key), error.parent_node
    if key.count(".") == 1 and key.startswith("callbacks."):
        return f"choose a callback by callbacks={key.rpartition('.')[2]}, or callbacks=[…] for more"
    known = _known_keys(error)
    if not isinstance(node, DictConfig) or "_target_" not in node:
        return did_you_mean(key, known)
    # Its class may take it, so a key of another part is meant only if it has the same name.
    parent, _, name = key.rpartition(".")
    near = [
        each for each in known if parent == each.rpartition(".")[0] or each.endswith(f".{name}")
    ]
    advice = did_you_mean(key, near)
    if advice.startswith("did"):
        return advice
    cls = str(node._get_node("_target_")).rpartition(".")[2]
    return f"{advice}; +{key}=… gives an argument of {cls} that its file does not name"


def _without_default(group: str, option: str) -> str:
    """Return the message about an option of a group that the defaults do not choose from."""
    if group in _NAMED:
        added = f"+{group}@{_NAMED[group]}.{option}={option}"
        return f"{group}={option}: each needs a name; write {added}"
    return f"{group}={option}: nothing is chosen from {group} so far; write +{group}={option}"


def _not_removed(said: str) -> str:
    key = said.split("'")[1]
    if "does not exist" in said:
        return f"~{key}: there is no such key, or it is null, which is the same; leave ~{key} out"
    other = said.partition(". The ")[2].rstrip(".")
    return f"~{key}: the {other}; write ~{key} alone"


def _known_keys(error: OmegaConfBaseException) -> list[str]:
    """Return the siblings of a key; outside `hydra`, also all keys down to two levels."""
    node = error.parent_node
    if not isinstance(node, DictConfig):
        return []
    parent = str(error.full_key).rpartition(".")[0]
    siblings = [f"{parent}.{key}" if parent else key for key in map(str, node) if key != "hydra"]
    if parent.partition(".")[0] == "hydra":
        return siblings
    root = node._get_root()
    groups = {str(key): root._get_node(key) for key in root if key != "hydra"}
    inner = [
        f"{name}.{key}"
        for name, group in groups.items()
        if isinstance(group, DictConfig)
        for key in map(str, group)
    ]
    return [*groups, *inner, *siblings]


def _no_such_config(missing: str, options: Sequence[str] | None) -> str:
    group, _, name = missing.rpartition("/")
    if options:
        return f"{group}={name}: there is no such option; {group} is one of {', '.join(options)}"
    return f"{missing}: there is no such file in conf/; name one without .yaml"


def _interpolation(error: OmegaConfBaseException) -> str:
    reason = str(error.msg or error).splitlines()[0]
    node = error.child_node
    written = f"={node._value()}" if isinstance(node, Node) else ""
    if error.full_key is None:  # --cfg hydra --resolve sees nothing outside hydra
        return f"{reason}: it is outside the shown part; use --cfg all"
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key}: has no value; set it on the command line"
    return f"{error.full_key}{written}: cannot be resolved: {reason}; set it to a value"
