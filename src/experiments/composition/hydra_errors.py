"""Turn errors of Hydra and OmegaConf into one line with advice."""

from __future__ import annotations

from collections.abc import Sequence

import yaml
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
            said = str(error).partition(", set env")[0]
            return next(
                (f"{said}; {_ADVICE[key]}" for key in _ADVICE if said.startswith(key)), None
            )
    return None


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
        advice = did_you_mean(str(cause.full_key), _known_keys(cause))
        return f"{cause.full_key}: unknown key; {advice}"
    if first.startswith("Ambiguous value"):
        override = first.partition("'")[2].rstrip("'")
        key, _, values = override.partition("=")
        as_list = f"; a list is written {key}=[{values}]" if "." in key else ""
        return f"{override}: several values for one run; add -m to sweep over them{as_list}"
    if first.startswith("Multiple values for"):
        group = first.removeprefix("Multiple values for ").partition(".")[0]
        return f"{group}: has a value already; write {group}=… once, without a +"
    if "multirun" in first:
        return f"{first}; add -m to sweep"
    if first.startswith("Error merging override ") and isinstance(cause, OmegaConfBaseException):
        return f"{first.removeprefix('Error merging override ')}: {str(cause).splitlines()[0]}"
    return f"{first} {cause or ''}"


def _known_keys(error: OmegaConfBaseException) -> list[str]:
    """Return the keys of the configuration, two levels deep; for a key of `hydra`, its siblings."""
    node = error.parent_node
    if not isinstance(node, DictConfig):
        return []
    parent = str(error.full_key).rpartition(".")[0]
    if parent.partition(".")[0] == "hydra":
        return [f"{parent}.{key}" for key in map(str, node)]
    root = node._get_root()
    groups = {str(key): root._get_node(key) for key in root if key != "hydra"}
    inner = [
        f"{name}.{key}"
        for name, group in groups.items()
        if isinstance(group, DictConfig)
        for key in map(str, group)
    ]
    return [*groups, *inner]


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
