"""Recognise models that are a chain of linear layers with activations between them."""

from __future__ import annotations

import builtins
import dis
import operator
import warnings
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node, Tracer
from torch.nn import functional as F

Activation = Literal["relu", "sigmoid", "tanh"]

_MODULES: Mapping[type[nn.Module], Activation] = {
    nn.ReLU: "relu",
    nn.Sigmoid: "sigmoid",
    nn.Tanh: "tanh",
}
_FUNCTIONS: Mapping[object, Activation] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, "relu", "relu_"), "relu"),
    **dict.fromkeys((F.sigmoid, torch.sigmoid, "sigmoid", "sigmoid_"), "sigmoid"),
    **dict.fromkeys((F.tanh, torch.tanh, "tanh", "tanh_"), "tanh"),
}
_KNOWN = {nn.Linear, nn.Flatten, nn.Identity, *_MODULES}
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_CONTAINERS = {nn.Sequential, nn.ModuleList, nn.ModuleDict}
_OF_ALL_MODULES = frozenset(vars(nn.Module()))
_GLOBALS = {
    *(torch, nn, F, torch.flatten, torch.reshape, *_FUNCTIONS),
    *(len, range, enumerate, zip, list, tuple, reversed),
}
_ATTRIBUTES = {
    *("nn", "functional", "children", "flatten", "view", "reshape", "size", "shape"),
    *("relu", "relu_", "sigmoid", "sigmoid_", "tanh", "tanh_"),
}
_REFUSED = (
    "STORE_ATTR",
    "STORE_GLOBAL",
    "STORE_SUBSCR",
    "DELETE_",
    "IMPORT_",
    "YIELD",
    "LOAD_SUPER",
)


@dataclass(frozen=True)
class Layer:
    """A linear layer and the activation of its outputs; None for none."""

    linear: nn.Linear
    activation: Activation | None


def linear_chain(model: nn.Module) -> list[Layer] | None:
    """Return the layers of a model that flattens its images and applies them in turn.

    `torch.fx` follows the model's `forward` with a stand-in for the images. It refuses a `forward`
    whose course depends on their values.

    Args:
        model: takes float32 (B, …).

    Returns:
        The layers, which hold all parameters of the model; None if the model does anything else.
    """
    modules = list(model.modules())
    if not all(map(_is_plain, modules)):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            graph = _Tracer().trace(model)
        except Exception:  # noqa: BLE001  (any error means: not a chain; autograd will compute it)
            return None
    layers = _layers(graph, dict(model.named_modules()))
    held = [parameter for layer in layers or () for parameter in layer.linear.parameters()]
    is_whole = sorted(map(id, held)) == sorted(map(id, model.parameters()))
    return layers if is_whole and all(map(_is_trained, held)) else None


class _Tracer(Tracer):
    """Follows `forward` into all modules but those of torch that a chain consists of."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """Return whether a module's work is known here."""
        del module_qualified_name
        return type(m) in _KNOWN


def _is_trained(parameter: Tensor) -> bool:
    told = parameter.requires_grad, parameter.dtype, parameter.device.type, parameter.layout
    return told == (True, torch.float32, "cpu", torch.strided)


def _is_plain(module: nn.Module) -> bool:
    """Return whether all that a module's `forward` can do is a chain's work.

    The module has no hooks and no buffers. Its code reads only submodules, plain attributes of the
    instance, and the few functions of torch that a chain consists of, and assigns to local names.
    So it is equal in training and evaluation, draws no random numbers and has no other effect.
    """
    if module._buffers or any(getattr(module, name) for name in HOOKS):
        return False
    cls = type(module)
    if cls in _KNOWN or cls in _CONTAINERS:
        return True
    told = {name: value for name, value in vars(module).items() if name not in _OF_ALL_MODULES}
    is_usual = all(
        getattr(cls, name, None) is getattr(nn.Module, name, None)
        for name in ("__call__", "__getattr__", "__getattribute__", *_ATTRIBUTES)
    )
    if (
        not is_usual
        or not isinstance(cls.forward, FunctionType)
        or not all(isinstance(value, int | float | str | tuple | None) for value in told.values())
    ):
        return False
    globals_ = {**vars(builtins), **cls.forward.__globals__}
    attributes = {*_ATTRIBUTES, *told, *module._modules}
    return all(_is_harmless(step, globals_, attributes) for step in _steps(cls.forward.__code__))


def _steps(code: CodeType) -> Iterator[dis.Instruction]:
    yield from dis.get_instructions(code)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _steps(constant)


def _is_harmless(
    step: dis.Instruction, globals_: Mapping[str, Any], attributes: Container[str]
) -> bool:
    if step.opname in {"LOAD_GLOBAL", "LOAD_NAME"}:
        value = globals_.get(step.argval)
        return any(value is each for each in _GLOBALS)
    if step.opname in {"LOAD_ATTR", "LOAD_METHOD"}:
        return step.argval in attributes
    return not step.opname.startswith(_REFUSED) and "DEREF" not in step.opname


def _layers(graph: Graph, modules: Mapping[str, nn.Module]) -> list[Layer] | None:
    """Return the layers of a graph in which each node takes the value of the one before."""
    layers: list[Layer] = []
    rows: set[Node] = set()  # nodes that stand for the number of images or the sizes of a batch
    value: Node | None = None
    is_flat = False
    for node in graph.nodes:
        part = modules.get(str(node.target)) if node.op == "call_module" else None
        activation = _MODULES.get(type(part)) if part else _FUNCTIONS.get(node.target)
        if node.op == "placeholder" and value is None:
            value = node
        elif node.op == "output":
            return layers if node.args == (value,) else None
        elif _counts_images(node, value, rows):
            rows.add(node)
            continue
        elif node.args[:1] != (value,):
            return None
        elif _flattens(node, part, rows):
            is_flat = True
        elif isinstance(part, nn.Linear) and is_flat:
            layers.append(Layer(part, None))
        elif activation and layers and layers[-1].activation is None:
            layers[-1] = Layer(layers[-1].linear, activation)
        elif not isinstance(part, nn.Identity):
            return None
        value = node
    return None


def _counts_images(node: Node, value: Node | None, rows: Container[Node]) -> bool:
    """Return whether a node is `x.shape`, `x.size(0)` or `x.shape[0]`."""
    if node.target is operator.getitem:
        return node.args[0] in rows and node.args[1:] == (0,)
    told = node.target, node.args
    return bool(told in ((getattr, (value, "shape")), ("size", (value,)), ("size", (value, 0))))


def _flattens(node: Node, part: nn.Module | None, rows: Container[Node]) -> bool:
    """Return whether a node turns (B, …) into (B, I); the first layer's width checks a given I."""
    if isinstance(part, nn.Flatten):
        return (part.start_dim, part.end_dim) == (1, -1)
    rest = node.args[1:]
    if node.target in {"flatten", torch.flatten}:
        return (*rest, *node.kwargs.items()) in {(1,), (1, -1), (("start_dim", 1),)}
    if node.target in {"view", "reshape", torch.reshape}:
        sizes = rest[0] if len(rest) == 1 and isinstance(rest[0], tuple | list) else rest
        first, last = sizes if len(sizes) == 2 else (None, None)
        return isinstance(last, int) and bool(first == -1 or first in rows)
    return False
