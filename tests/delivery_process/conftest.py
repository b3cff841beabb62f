"""The runs of the tests of tracking."""

from tests.tracking.conftest import finished, made

__all__ = ["finished", "made"]
