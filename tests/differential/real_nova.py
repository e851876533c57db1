"""Real Nova as a child process: one JSON line in, one JSON line out.

A line asks for a cloud, a list of prefixes and some steps:
`{"cloud": {...}, "prefix": [[step, ...], ...], "steps": [step, ...]}`; the answer is `{"rows": [row, ...]}`, a row a
step, or `{"error": traceback}`. Steps and rows: `nova_player.Player`.

Nothing is ever reset. The process starts Nova once and forks: a process keeps a cloud with its hosts, another one the
servers that a prefix brought to some state, and every list of steps is played in a fork of its own that ends with it.
A fork costs some ten milliseconds, and no sequence can leave anything behind for the next.
"""

from __future__ import annotations

import gc
import json
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any

import green  # before all else of Nova
import nova_player

os = green.os
LIMIT_S = 60
KEPT = 12  # forks kept waiting with a cloud or a prefix
_ENDS: set[int] = set()  # this process's ends of pipes to its forks; a sibling that held one would keep it from closing


class Fork:
    """A child process that was brought to some state and waits for lines."""

    def __init__(self, prepare: Callable[[], Any], answer: Callable[[Any, dict[str, Any]], dict[str, Any]]) -> None:
        down_read, self._write = os.pipe()
        up_read, up_write = os.pipe()
        self.pid = os.fork()
        self._read = up_read
        if self.pid:
            os.close(down_read)
            os.close(up_write)
            _ENDS.update((self._write, up_read))
            self._lines = os.fdopen(up_read, "rb", closefd=False)
            return
        try:
            for end in (*_ENDS, self._write, up_read):
                os.close(end)
            _ENDS.clear()
            state = prepare()
            gc.collect()
            gc.freeze()
            gc.disable()  # a fork ends before its garbage matters
            with open(down_read, "rb") as lines:
                for line in lines:
                    _send(up_write, _guarded(answer, state, json.loads(line)))
        finally:
            os._exit(0)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        _write_all(self._write, json.dumps(request).encode() + b"\n")
        line = self._lines.readline()
        return json.loads(line) if line else {"error": "the process ended without an answer"}

    def close(self) -> None:
        self._lines.close()
        for end in (self._write, self._read):
            os.close(end)
            _ENDS.discard(end)
        os.waitpid(self.pid, 0)


def _guarded(answer: Callable[[Any, dict[str, Any]], dict[str, Any]], state: Any, request: Any) -> dict[str, Any]:
    try:
        return answer(state, request)
    except BaseException:
        return {"error": traceback.format_exc()}


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _send(descriptor: int, message: dict[str, Any]) -> None:
    _write_all(descriptor, json.dumps(message, default=str).encode() + b"\n")


class Keeper:
    """Forks by the state they wait in; the one used longest ago makes room."""

    def __init__(self, state: Any) -> None:
        self.state = state
        self.forks: dict[str, Fork] = {}

    def get(self, key: Any, prepare: Callable[[], Any]) -> Fork:
        name = json.dumps(key, sort_keys=True)
        fork = self.forks.pop(name, None)
        if fork is None:
            if len(self.forks) >= KEPT:
                self.forks.pop(next(iter(self.forks))).close()
            fork = Fork(lambda: Keeper(prepare()), _below)
        self.forks[name] = fork
        return fork


def _below(keeper: Keeper, request: dict[str, Any]) -> dict[str, Any]:
    """In a process that holds a player: go on to the next prefix, or play the steps in a fork that ends after them."""
    player = keeper.state
    if isinstance(player, str):
        return {"error": player}
    if request["prefix"]:
        first, *rest = request["prefix"]
        fork = keeper.get(first, lambda: _prepare_prefix(player, first))
        return fork.ask({**request, "prefix": rest})
    leaf = Fork(lambda: player, _play)
    try:
        return leaf.ask(request)
    finally:
        leaf.close()


def _play(player: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Play the steps. What takes this long will never end; nobody shall wait for it."""

    def give_up(*_: Any) -> None:
        raise TimeoutError(f"no answer within {LIMIT_S} s")

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(LIMIT_S)
    return {"rows": [player.play(step) for step in request["steps"]]}


def _prepare_prefix(player: Any, steps: list[dict[str, Any]]) -> Any:
    try:
        for step in steps:
            player.play({"allocations": False, "watch": False, **step})
    except BaseException:
        return traceback.format_exc()
    return player


def _prepare_cloud(cloud: Any, spec: dict[str, Any]) -> Any:
    try:
        return nova_player.start(spec, cloud)
    except BaseException:
        return traceback.format_exc()


def _keep_databases_over_forks() -> None:
    """SQLAlchemy drops a pool's connections when the process id changes; a database in memory would go with them."""
    import os as plain_os

    process_id = plain_os.getpid()
    plain_os.getpid = lambda: process_id


def main() -> None:
    _keep_databases_over_forks()
    output = os.dup(1)
    os.dup2(2, 1)  # Nova's fixtures print; only answers go to the caller
    keeper = Keeper(nova_player.new_cloud())
    for line in sys.stdin:
        _send(output, _played(keeper, json.loads(line)))


def _played(keeper: Keeper, request: dict[str, Any]) -> dict[str, Any]:
    fork = keeper.get(request["cloud"], lambda: _prepare_cloud(keeper.state, request["cloud"]))
    return fork.ask({"prefix": request.get("prefix", []), "steps": request["steps"]})


if __name__ == "__main__":
    main()
