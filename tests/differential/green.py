"""Green threads on a virtual clock: to be imported before anything of Nova, which takes the clock that it finds."""

from __future__ import annotations

import importlib

import virtual_time

virtual_time.install()
importlib.import_module("nova.tests.functional")  # patches the standard library for green threads
os = importlib.import_module("eventlet.patcher").original("os")
"""The operating system's own pipes and forks, which wait in earnest."""
