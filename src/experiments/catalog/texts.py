"""Numbers, moments, sizes and durations as people read them."""

from __future__ import annotations

import math
import time


def as_number(value: float | None) -> str:
    """Return a number with at most four digits behind the point; an empty text for None."""
    if value is None or not math.isfinite(value):
        return "" if value is None else str(value)
    if value == int(value) and abs(value) < 1e5:
        return str(int(value))
    return f"{value:.4g}" if abs(value) < 1e-3 or abs(value) >= 1e5 else f"{value:.4f}"


def as_share(value: float, digits: int = 2) -> str:
    """Return a share, 0 to 1, in per cent, such as `97.54 %`; an empty text for NaN."""
    return f"{100 * value:.{digits}f} %" if math.isfinite(value) else ""


def as_text(value: str | float | bool | None) -> str:
    """Return a value as a cell shows it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return as_number(value)
    return "" if value is None else str(value)


def as_time(milliseconds: int) -> str:
    """Return a moment in local time, such as `2026-11-28 09:30`."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(milliseconds / 1000))


def as_size(count: int) -> str:
    """Return a size in bytes as text, such as `3.4 MB`."""
    size, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while size >= 1000 and unit != "TB":
        size, unit = size / 1000, next(units)
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"


def as_duration(seconds: float) -> str:
    """Return a duration, such as `8.4 s`, `3 min 5 s` or `2 h 10 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, left = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {left} s"
    return f"{minutes // 60} h {minutes % 60} min"
