"""How this process is told to stop, from its first instant on.

`connector.__main__` comes here before it imports anything else, so this module imports nothing that takes time.
Signals are blocked in every thread and taken by one of their own. A handler would run between two steps of the main
thread, and not at all while that one is busy in a library. What is blocked stays pending, even for process 1, which is
sent no signal that it has no handler for; the image blocks them before Python begins, so that none is lost on the way.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

BY_SIGNAL = 128
_ASK_TO_STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


class Stopping:
    """One a process. A stop that comes before `drain_by` ends the process at once, with 0: it has posted nothing.

    After that the first one drains, and all others change nothing: there are runtimes that send SIGTERM twice. Only a
    second SIGINT, which is a person at a terminal, ends the process at once.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_listening = False
        self._drain: Callable[[], object] | None = None
        self._last_words: Callable[[], object] = lambda: None
        self._interrupts = 0

    def listen(self) -> None:
        """Obey signals from now on. On the main thread, before there are others: they inherit what it blocks."""
        if self._is_listening:
            return
        self._is_listening = True
        numbers = set(_ASK_TO_STOP)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup
            numbers.remove(signal.SIGHUP)
        signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
        threading.Thread(target=self._listen, args=(numbers,), name="signals", daemon=True).start()

    def before_exit(self, last_words: Callable[[], object]) -> None:
        """Have this done before a signal ends the process at once; on another thread, and it may take a second."""
        self._last_words = last_words

    def drain_by(self, drain: Callable[[], object]) -> None:
        """From now on a stop is for `drain`, called on another thread for each of them; it must not wait."""
        with self._lock:  # a stop that is being obeyed ends the process before anything else begins
            self._drain = drain

    def _listen(self, numbers: set[signal.Signals]) -> None:
        while True:
            self._obey(signal.Signals(signal.sigwait(numbers)))

    def _obey(self, number: signal.Signals) -> None:
        with self._lock:
            if self._drain is None:
                self._end(0)
        self._interrupts += number is signal.SIGINT
        if self._interrupts > 1:
            self._end(BY_SIGNAL + number)
        self._drain()

    def _end(self, code: int) -> NoReturn:
        self._last_words()
        os._exit(code)


STOPPING = Stopping()
"""This process's: signals have no smaller owner."""


def begin(arguments: list[str]) -> None:
    """Obey a stop from here on, as the command of these arguments has to. The first thing that the program does."""
    if arguments[:1] == ["run"]:
        STOPPING.listen()
        return
    # The other commands may be cut anywhere: SIGTERM ends them as it ends any program, but process 1 has to ask for it.
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(BY_SIGNAL + number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ASK_TO_STOP)
