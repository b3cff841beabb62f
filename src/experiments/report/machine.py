"""The machine of a run."""

from __future__ import annotations

import json
from pathlib import Path

from experiments.catalog.summary import Summary


def machine_of(folder: Path, run: Summary) -> dict[str, str]:
    """Return the machine that a run was trained on, as far as its folder tells it.

    A damaged file is told in the place of its content.
    """
    told = {"device": run.tags["device"]} if "device" in run.tags else {}
    path = folder / "environment.json"
    if path.exists():
        try:
            noted = json.loads(path.read_bytes())
            told["machine"] = f"{noted['processor']}, {noted['cores']} cores"
        except OSError as error:
            told["machine"] = f"unknown: environment.json cannot be read ({error.strerror})"
        except (ValueError, LookupError, TypeError, RecursionError):
            told["machine"] = "unknown: environment.json is damaged"
    if threads := run.params.get("trainer.threads"):
        told["threads"] = f"{threads} for each process"
    return told
