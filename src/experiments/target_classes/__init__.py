"""`_target_`: import the class or function that a configuration names, and check it first.

Nothing is called that is not of the kind that its key asks for, so that `os.system` and its like
are refused under any alias.
"""

from experiments.target_classes.calling import accepts, build, build_function
from experiments.target_classes.finding import explained, resolve, resolve_function
from experiments.target_classes.kinds import build_metric, resolve_loss, resolve_metric
from experiments.target_classes.models import build_model, resolve_model

__all__ = [
    "accepts",
    "build",
    "build_function",
    "build_metric",
    "build_model",
    "explained",
    "resolve",
    "resolve_function",
    "resolve_loss",
    "resolve_metric",
    "resolve_model",
]
