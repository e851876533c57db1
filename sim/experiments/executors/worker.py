"""A worker process: ``python -m sim.experiments.executors.worker FD``. Makes the runs that come over its socket."""

from __future__ import annotations

import signal
import sys
from multiprocessing.connection import Connection

from sim.experiments.work import perform, quiet


def main() -> None:
    """Until the driver closes the line."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is for the driver to answer
    line = Connection(int(sys.argv[1]))
    scenario = b""
    quiet()
    while True:
        try:
            task, text, made_by = line.recv()
        except EOFError:
            return
        if text is not None:  # else it is that of the run before
            scenario = text
        outcome = perform(task, scenario, made_by)
        try:
            line.send(outcome)
        except OSError:
            return


if __name__ == "__main__":
    main()
