"""What the API answers when it refuses: a code and a message under the name that Nova gives the code."""

from __future__ import annotations

from sim.errors import NovasimError
from sim.model.exceptions import NovaException
from sim.model.server import Server

_NAMES = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
    409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented",
    503: "serviceUnavailable",
}  # fmt: skip
NOT_ROUTED = "The resource could not be found."
"""What Nova says of a place that does not exist at the microversion asked for."""


def fault_name(code: int) -> str:
    """The key under which Nova's error body has code and message."""
    return _NAMES.get(code, "computeFault")


class ApiFault(NovasimError):
    """The request is refused with ``code`` and ``message``."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(code, message)
        self.code, self.message = code, message

    def __str__(self) -> str:
        return self.message


def unexpected(error: str) -> ApiFault:
    """The answer to an error that Nova's API does not expect; ``error`` is the full name of its class."""
    return ApiFault(500, f"Unexpected API Error. Please contact the administrator\n<class '{error}'>")


def unexpected_from_conductor(error: NovaException) -> ApiFault:
    """The same for an error that came back from the conductor."""
    name = type(error).__name__
    return ApiFault(
        500, "Unexpected API Error. Please contact the administrator\n"
        f"<class 'nova.exception_Remote.{name}_Remote'>"
    )  # fmt: skip


def wrong_state(server: Server, action: str, attribute: str, state: str | None) -> ApiFault:
    """The server's state does not allow the action; without a state the text is the general one."""
    if state is None:
        return ApiFault(409, f"Instance {server.uuid} is in an invalid state for '{action}'")
    return ApiFault(409, f"Cannot '{action}' instance {server.uuid} while it is in {attribute} {state}")
