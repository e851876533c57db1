"""Nova's messages without waiting: deliveries wake the listener at once, and what is under way is counted.

The fake transport polls every 50 ms; here a delivery wakes it. The count says when nothing is under way any more
("settled"). A host may die: its messages stay unread, its running work is parked for ever.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import eventlet
import eventlet.hubs
import eventlet.semaphore
import greenlet
from oslo_messaging._drivers import base as driver_base
from oslo_messaging._drivers import impl_fake
from oslo_messaging.rpc import client, dispatcher, server

_LOCAL = threading.local()  # green: one set of attributes a green thread


_REPLY = 2  # where a message in a queue of the fake transport says whom to answer


def current_host() -> str | None:
    """The host whose work this green thread does; None for the API and the player."""
    return getattr(_LOCAL, "host", None)


class Work:
    """What is under way. `settle` waits for none, or for a limit of virtual seconds."""

    def __init__(self) -> None:
        self.count = 0
        self.dead: set[str] = set()
        self.deaths: dict[str, int] = {}
        self._waiter: greenlet.greenlet | None = None
        self.listeners: list[Any] = []
        self.watch_call: Callable[[str, str], None] = lambda *_: None
        self.watch_raise: Callable[[str, str, BaseException], None] = lambda *_: None

    def begin(self) -> None:
        self.count += 1

    def end(self) -> None:
        self.count -= 1
        if self.count == 0 and self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            eventlet.hubs.get_hub().schedule_call_global(0, waiter.switch, True)

    def settle(self, limit_s: float) -> bool:
        """Let green threads run until none is under way (True) or `limit_s` virtual seconds passed (False)."""
        hub = eventlet.hubs.get_hub()
        deadline = hub.clock() + limit_s
        for _ in range(3):
            eventlet.sleep(0)
        while self.count > 0:
            left = deadline - hub.clock()
            if left <= 0:
                return False
            self._waiter = greenlet.getcurrent()
            timer = hub.schedule_call_global(left, self._expire)
            hub.switch()
            timer.cancel()
            for _ in range(3):
                eventlet.sleep(0)
        return True

    def _expire(self) -> None:
        if self._waiter is not None:
            waiter, self._waiter = self._waiter, None
            waiter.switch(False)

    def park(self) -> None:
        """Stop this green thread for ever: its host is dead."""
        self.end()
        while True:
            eventlet.hubs.get_hub().switch()

    def die(self, host: str) -> None:
        if host not in self.dead:
            self.dead.add(host)
            self.deaths[host] = self.deaths.get(host, 0) + 1

    def perish(self) -> None:
        """Go no further if this green thread's host has died since its work began."""
        host = current_host()
        if host is not None and _LOCAL.deaths != self.deaths.get(host, 0):
            self.park()

    def revive(self, host: str) -> None:
        """A new service will listen. Orders that the dead one had not read are still there; calls have expired."""
        self.dead.discard(host)
        self.listeners = [one for one in self.listeners if host not in one.servers]
        for exchange in impl_fake.FakeExchangeManager._exchanges.values():
            for (_, name), queue in exchange._server_queues.items():
                if name == host:
                    queue[:] = [message for message in queue if message[_REPLY] is None]
                    for _ in queue:
                        self.begin()

    @contextlib.contextmanager
    def on_host(self, host: str | None) -> Iterator[None]:
        before = current_host(), getattr(_LOCAL, "deaths", 0)
        _LOCAL.host, _LOCAL.deaths = host, self.deaths.get(host or "", 0)
        try:
            yield
        finally:
            _LOCAL.host, _LOCAL.deaths = before


WORK = Work()


class InstantListener(impl_fake.FakeListener):
    """A listener that sleeps until something is delivered to it."""

    def __init__(self, exchange_manager: Any, targets: Any, pool: Any = None) -> None:
        super().__init__(exchange_manager, targets, pool)
        self.topics = {target.topic for target in targets}
        self.servers = {target.server for target in targets if target.server}
        self.ready = eventlet.semaphore.Semaphore(0)
        WORK.listeners.append(self)

    @driver_base.batch_poll_helper
    def poll(self, timeout: float | None = None) -> Any:
        while not self._stopped.is_set():
            for target in self._targets:
                if self.servers & WORK.dead:
                    break
                exchange = self._exchange_manager.get_exchange(target.exchange)
                ctxt, message, reply_q, requeue = exchange.poll(target, self._pool)
                if message is not None:
                    return impl_fake.FakeIncomingMessage(ctxt, message, reply_q, requeue)
            if not self.ready.acquire(timeout=timeout):
                return None
        return None


def _deliver(original: Callable[..., None]) -> Callable[..., None]:
    def deliver_message(
        self: Any,
        topic: str,
        ctxt: Any,
        message: Any,
        server: str | None = None,
        fanout: bool = False,
        reply_q: Any = None,
    ) -> None:
        original(self, topic, ctxt, message, server=server, fanout=fanout, reply_q=reply_q)
        if server is not None and not fanout:
            hearers = [one for one in WORK.listeners if topic in one.topics and server in one.servers]
            expected = 1 if hearers and server not in WORK.dead else 0
        else:
            hearers = [one for one in WORK.listeners if topic in one.topics]
            expected = sum(not one.servers & WORK.dead for one in hearers) if fanout else min(1, len(hearers))
        for _ in range(expected):
            WORK.begin()
        for one in hearers:
            one.ready.release()

    return deliver_message


def _process(original: Callable[..., None]) -> Callable[..., None]:
    def process_incoming(self: Any, incoming: Any) -> None:
        with WORK.on_host(self._target.server):
            try:
                original(self, incoming)
            finally:
                WORK.end()

    return process_incoming


def _dispatch(original: Callable[..., Any]) -> Callable[..., Any]:
    def do_dispatch(self: Any, endpoint: Any, method: str, ctxt: Any, args: Any) -> Any:
        host = current_host() or ""
        WORK.watch_call(method, host)
        try:
            return original(self, endpoint, method, ctxt, args)
        except BaseException as error:
            WORK.watch_raise(method, host, error)
            raise

    return do_dispatch


def _spawn_on(original: Callable[..., Any], executors: dict[tuple[Any, str | None], Any], factory: Any) -> Any:
    def spawn_on(executor_type: Any, func: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        host = current_host()

        def here(*inner: Any, **named: Any) -> Any:
            with WORK.on_host(host):
                return func(*inner, **named)

        # Every process has its own pools; here many hosts share one process, so the pool that limits
        # live migrations is kept a host.
        if executor_type.name == "LIVE_MIGRATION":
            shared = factory._all_executors.pop(executor_type, None)
            if (executor_type, host) in executors:
                factory._all_executors[executor_type] = executors[executor_type, host]
            WORK.begin()
            future = original(executor_type, here, *args, **kwargs)
            executors[executor_type, host] = factory._all_executors.pop(executor_type)
            if shared is not None:
                factory._all_executors[executor_type] = shared
        else:
            WORK.begin()
            future = original(executor_type, here, *args, **kwargs)
        future.add_done_callback(lambda _: WORK.end())
        return future

    return spawn_on


def _call(original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return original(self, *args, **kwargs)
        finally:
            WORK.perish()

    return call


def _synchronized(original: Callable[..., Any]) -> Callable[..., Any]:
    def synchronized(name: str, *args: Any, **kwargs: Any) -> Any:
        return original(f"{current_host()}:{name}", *args, **kwargs)

    return synchronized


def install() -> None:
    """Patch the transport, the RPC server, Nova's thread pools and its locks (a process's own). Once a process."""
    impl_fake.FakeListener = InstantListener
    impl_fake.FakeExchange.deliver_message = _deliver(impl_fake.FakeExchange.deliver_message)
    server.RPCServer._process_incoming = _process(server.RPCServer._process_incoming)
    client._BaseCallContext.call = _call(client._BaseCallContext.call)
    dispatcher.RPCDispatcher._do_dispatch = _dispatch(dispatcher.RPCDispatcher._do_dispatch)

    from nova import thread_pool_factory, utils

    utils.synchronized = _synchronized(utils.synchronized)

    thread_pool_factory.spawn_on = _spawn_on(thread_pool_factory.spawn_on, {}, thread_pool_factory.FACTORY)
