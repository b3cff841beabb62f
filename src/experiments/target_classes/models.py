"""The classes and functions that may make a model, and their arguments."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlparse

import torch
from torch import nn

from experiments.errors import InputError, did_you_mean
from experiments.files.checksums import sha256_of
from experiments.target_classes.calling import call
from experiments.target_classes.finding import find, is_function, is_own_function
from experiments.target_classes.kinds import is_module_class
from experiments.target_classes.loading import refuse_loading, weights_only

Maker = Callable[..., nn.Module]
_KIND = (
    "a subclass of torch.nn.modules.module.Module, a classification model of torchvision.models, "
    "timm.create_model, or a function of your own that is annotated to return an nn.Module"
)
_NAME = re.compile(r"[\w.]+")  # of a model of timm; others lead to files and repositories


def resolve_model(key: str, target: str) -> Maker:
    """Return the class or function that `key._target_` names as a model.

    Allowed are subclasses of `nn.Module`; the classification models of torchvision, such as
    `torchvision.models.resnet18`; `timm.create_model`; and functions in a module of the user's own
    with the return annotation `nn.Module` or a subclass.

    Raises:
        InputError: there is no such object, it is not allowed, or it loads another model.
    """
    found = find(key, target, _KIND, _makes_a_model)
    refuse_loading(key, target, found)
    return cast("Maker", found)


@weights_only()
def build_model(
    key: str, maker: Maker, given: Mapping[str, Any], arguments: Mapping[str, Any]
) -> nn.Module:
    """Return the model `maker(**given, **arguments)`, after a check of the arguments.

    The `weights` of a model of torchvision are those that its installed version names; their file
    is fetched, and its checksum is part of its name. Models of timm are made without weights.

    Args:
        key: the name of the part of the configuration that holds `arguments`.
        maker: a class or function from `resolve_model`.
        given: arguments that the program supplies.
        arguments: arguments from the configuration, as plain data.

    Raises:
        InputError: an argument is unknown, missing, nests a `_target_`, names a file or a
            repository, or is refused; or no model is made.
    """
    kind = cast("type[nn.Module]", maker) if isinstance(maker, type) else nn.Module
    if is_torchvisions(maker):
        _check_weights(key, maker, arguments)
    elif is_timms(maker):
        _check_for_timm(key, arguments)
    return call(key, maker, given, arguments, kind=kind)


def is_torchvisions(maker: object) -> bool:
    """Return whether an object makes a classification model of torchvision."""
    if not (is_function(maker) and maker.__module__.startswith("torchvision.models.")):
        return False
    from torchvision import models

    name = maker.__name__
    return name in models.list_models(module=models) and maker is models.get_model_builder(name)


def is_timms(maker: object) -> bool:
    """Return whether an object is `timm.create_model`."""
    return is_function(maker) and maker is getattr(sys.modules.get("timm"), "create_model", None)


def _makes_a_model(value: object) -> bool:
    is_a_function_for_it = is_own_function(value, nn.Module) or is_torchvisions(value)
    return is_module_class(value) or is_a_function_for_it or is_timms(value)


def _check_weights(key: str, maker: Maker, arguments: Mapping[str, Any]) -> None:
    from torchvision import models

    if "pretrained" in arguments:
        raise InputError(f"{key}.pretrained: is an old name; use {key}.weights=DEFAULT")
    weights = arguments.get("weights")
    if weights is None:
        return
    known = models.get_model_weights(cast("Any", maker)).__members__
    if weights not in known:
        raise InputError(
            f"{key}.weights={weights}: {maker.__name__} has no such weights; "
            f"{did_you_mean(f'{key}.{weights}', [f'{key}.{name}' for name in known])}"
        )
    file = Path(torch.hub.get_dir(), "checkpoints", Path(urlparse(known[weights].url).path).name)
    if file.exists() and not sha256_of(file).startswith(file.stem.rpartition("-")[2]):
        raise InputError(f"{file}: is damaged; delete it, and it is fetched anew")


def _check_for_timm(key: str, arguments: Mapping[str, Any]) -> None:
    name = arguments.get("model_name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{key}.model_name={name}: names no model of timm; write one of "
            "timm.list_models(), such as resnet18"
        )
    for argument, value in arguments.items():
        loads = argument.startswith("pretrained") or argument in {"checkpoint_path", "cache_dir"}
        if loads and value not in (None, False, ""):
            raise InputError(
                f"{key}.{argument}={value}: would load weights that the run's identity cannot "
                "see; remove it"
            )
