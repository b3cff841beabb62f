"""The part of a module's text that computes: no comments, docstrings and texts of messages."""

from __future__ import annotations

import ast
from collections.abc import Callable

_LOGGERS = frozenset({"_log", "logging", "warnings"})
_EXPLAINING = frozenset({"did_you_mean", "explained", "misfit", "print"})


def computing_part(content: bytes) -> bytes:
    """Return the part of a module that computes, as one text for each syntax tree."""
    told: list[str] = []
    _tell(ast.parse(content), told.append, is_message=False)
    return "\0".join(told).encode()


def _tell(node: ast.AST, tell: Callable[[str], None], *, is_message: bool) -> None:
    """Tell a syntax tree, without docstrings and without the texts in a message.

    `ast.NodeTransformer` and `ast.dump` would take four times as long.
    """
    is_message = is_message or _begins_message(node)
    kind = type(node)
    if is_message and (kind is ast.JoinedStr or _is_text(node)):
        tell("")  # an f-string with the values in it
        return
    tell(kind.__name__)
    for name in kind._fields:
        value = getattr(node, name, None)
        if isinstance(value, ast.expr_context):
            continue  # the place of a name tells it
        if isinstance(value, ast.AST):
            _tell(value, tell, is_message=is_message)
        elif isinstance(value, list):
            tell("[")
            for entry in value:
                if not isinstance(entry, ast.AST):
                    tell(repr(entry))
                elif not _is_docstring(entry):
                    _tell(entry, tell, is_message=is_message)
            tell("]")
        else:
            tell(repr(value))


def _begins_message(node: ast.AST) -> bool:
    """Return whether a node is an error, raised or not, or an entry in the log or on the screen."""
    if not isinstance(node, ast.Call):
        return isinstance(node, ast.Raise)
    called = node.func
    if isinstance(called, ast.Name):
        return called.id in _EXPLAINING or called.id.endswith("Error")
    return (
        isinstance(called, ast.Attribute)
        and isinstance(called.value, ast.Name)
        and called.value.id in _LOGGERS
    )


def _is_docstring(node: ast.AST) -> bool:
    """Return whether a statement is a text alone: also the docstring of an attribute."""
    return isinstance(node, ast.Expr) and _is_text(node.value)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)
