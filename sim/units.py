"""Seconds and bytes inside; "64 GiB", "10 Gbit/s", "30 min" at the edge.

Decimal prefixes are powers of 1000, binary ones (Ki, Mi, Gi, Ti) powers of 1024. A rate in bits is divided by eight.
"""

from __future__ import annotations

import math
import re

KIB, MIB, GIB, TIB = 2**10, 2**20, 2**30, 2**40

_PREFIX = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
           "Ki": KIB, "Mi": MIB, "Gi": GIB, "Ti": TIB}  # fmt: skip
_SECONDS = {
    "ms": 1e-3, "us": 1e-6, "s": 1, "sec": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "minute": 60,
    "minutes": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400, "days": 86400,
    "week": 604800, "weeks": 604800, "year": 31557600, "years": 31557600,
}  # fmt: skip
_NUMBER = r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*"
_QUANTITY = re.compile(_NUMBER + r"([A-Za-z/]*)\s*$")
_SIZE = re.compile(r"([KMGTk]i?)?B$")
_RATE = re.compile(r"([KMGTk]i?)?(B|bit|b)(?:/s|ps)$")


def _split(text: str, example: str) -> tuple[float, str]:
    match = _QUANTITY.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity; write a number and a unit, like {example}")
    return float(match[1]), match[2]


def parse_seconds(text: str | float) -> float:
    """``"90 s"``, ``"10 min"``, ``"1.5 h"`` → seconds. A bare 0 needs no unit; ValueError says what would be right."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if text == 0:
            return 0.0
        raise ValueError(f"{text!r} has no unit; write a time like '{text} s' or '{text} min'")
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a time; write a number and a unit, like '90 s' or '10 min'")
    total, rest = 0.0, text.strip()
    parts = rest.split()
    if len(parts) > 2 and len(parts) % 2 == 0:  # "1 h 30 min"
        return sum(parse_seconds(f"{parts[i]} {parts[i + 1]}") for i in range(0, len(parts), 2))
    value, unit = _split(rest, "'90 s' or '10 min'")
    if unit not in _SECONDS:
        if unit == "" and value == 0:
            return 0.0
        raise ValueError(f"{text!r} has {'no unit' if not unit else f'the unknown unit {unit!r}'} of time; "
                         "use ms, s, min, h, days, weeks or years, like '90 s'")  # fmt: skip
    total = value * _SECONDS[unit]
    if total < 0 or not math.isfinite(total):
        raise ValueError(f"{text!r} must be a finite time, not negative")
    return total


def parse_bytes(text: str | float) -> int:
    """``"64 GiB"``, ``"512 MB"`` → bytes. A bare 0 needs no unit."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if text == 0:
            return 0
        raise ValueError(f"{text!r} has no unit; write a size like '{text} GiB' or '{text} MB'")
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a size; write a number and a unit, like '64 GiB'")
    value, unit = _split(text, "'64 GiB'")
    match = _SIZE.match(unit)
    if match is None:
        if unit == "" and value == 0:
            return 0
        raise ValueError(f"{text!r} has {'no unit' if not unit else f'the unknown unit {unit!r}'} of size; "
                         "use B, KiB, MiB, GiB, TiB, kB, MB, GB or TB, like '64 GiB'")  # fmt: skip
    if value < 0:
        raise ValueError(f"{text!r} must not be negative")
    if not math.isfinite(value):
        raise ValueError(f"{text!r} must be finite")
    return round(value * _PREFIX[match[1] or ""])


def parse_rate(text: str | float) -> float:
    """``"25 Gbit/s"``, ``"110 MB/s"`` → bytes per second. A bare 0 needs no unit."""
    if isinstance(text, (int, float)) and not isinstance(text, bool):
        if text == 0:
            return 0.0
        raise ValueError(f"{text!r} has no unit; write a rate like '{text} Gbit/s' or '{text} MB/s'")
    if not isinstance(text, str):
        raise ValueError(f"{text!r} is not a rate; write a number and a unit, like '25 Gbit/s'")
    value, unit = _split(text, "'25 Gbit/s'")
    match = _RATE.match(unit)
    if match is None:
        if unit == "" and value == 0:
            return 0.0
        raise ValueError(f"{text!r} has {'no unit' if not unit else f'the unknown unit {unit!r}'} of rate; "
                         "use bit/s, Mbit/s, Gbit/s, B/s, MB/s or MiB/s, like '25 Gbit/s'")  # fmt: skip
    if value < 0:
        raise ValueError(f"{text!r} must not be negative")
    if not math.isfinite(value):
        raise ValueError(f"{text!r} must be finite")
    return value * _PREFIX[match[1] or ""] / (1 if match[2] == "B" else 8)


def format_seconds(seconds: float | None) -> str:
    """A time as people say it: ``0.13 s``, ``42.0 s``, ``12 min 05 s``, ``3 h 07 min``, ``2 d 04 h``."""
    if seconds is None or math.isnan(seconds):
        return "-"
    if seconds < 0:
        return "-" + format_seconds(-seconds)
    if seconds < 120:
        return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    minutes = round(seconds / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02d} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02d} h"


def format_bytes(size: float) -> str:
    """A size in binary units: ``512 B``, ``1.5 GiB``."""
    for unit, name in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if abs(size) >= unit:
            return f"{size / unit:.3g} {name}" if abs(size) < 1000 * unit else f"{size / unit:,.0f} {name}"
    return f"{size:.0f} B"


def format_rate(rate_bps: float) -> str:
    """A rate in bits, as network people say it: ``9.42 Gbit/s``."""
    bits = rate_bps * 8
    for unit, name in ((1e12, "Tbit/s"), (1e9, "Gbit/s"), (1e6, "Mbit/s"), (1e3, "kbit/s")):
        if bits >= unit:
            return f"{bits / unit:.3g} {name}"
    return f"{bits:.0f} bit/s"


def counted(count: int, plural: str) -> str:
    """``1 host``, ``1,000 hosts``, ``1 inventory``."""
    if count != 1:
        return f"{count:,} {plural}"
    return f"1 {plural.removesuffix('ies')}y" if plural.endswith("ies") else f"1 {plural.removesuffix('s')}"


def exact_seconds(seconds: float) -> str:
    """Text that :func:`parse_seconds` reads back to the very same number, in a natural unit where that is exact."""
    for factor, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        count = seconds / factor
        if count >= 1 and count == int(count) and count * factor == seconds:
            return f"{int(count)} {unit}"
    return f"{seconds:.0f} s" if seconds == int(seconds) and abs(seconds) < 1e15 else f"{seconds!r} s"


def exact_bytes(size: int) -> str:
    """Text that :func:`parse_bytes` reads back to the very same number."""
    for factor, unit in ((TIB, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if size and size % factor == 0:
            return f"{size // factor} {unit}"
    return f"{size} B"


def exact_rate(rate_bps: float) -> str:
    """Text that :func:`parse_rate` reads back to the very same number; in bits where that is short."""
    for factor, unit in ((10**9, "Gbit/s"), (10**6, "Mbit/s")):
        text = f"{rate_bps * 8 / factor:.6g} {unit}"
        if rate_bps * 8 >= factor and parse_rate(text) == rate_bps:
            return text
    return f"{rate_bps!r} B/s"
