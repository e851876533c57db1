"""Spec → wired cloud: the one place that knows every class."""

from sim.model.build.wire import build

__all__ = ["build"]
