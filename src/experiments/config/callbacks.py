"""conf/callbacks: objects that a run calls at a few moments of its training."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from experiments.config.part import Own

Callbacks = dict[Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")], Own]
