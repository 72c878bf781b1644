"""The terminal that a worker may have: keys that are typed into it never end or stop the worker."""

from __future__ import annotations

import contextlib
import os
import signal
import termios

#: What a terminal sends for keys: Ctrl-C, Ctrl-\\, Ctrl-Z.
KEY_SIGNALS = (signal.SIGINT, signal.SIGQUIT, signal.SIGTSTP)
#: Local modes: in their place in what `tcgetattr` returns.
_LOCAL = 3


def without_signal_keys(descriptor: int) -> None:
    """Have keys send no signal, and these signals do nothing to this process.

    A program that the terminal is lent to may set its modes otherwise. By handlers: a child starts
    with the signals as they are for any program, which would not be so if they were ignored.

    Args:
        descriptor: The terminal; anything else is left alone.
    """
    for number in KEY_SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    if not os.isatty(descriptor):
        return
    with contextlib.suppress(termios.error):
        modes = termios.tcgetattr(descriptor)
        modes[_LOCAL] &= ~(termios.ISIG | termios.ECHO)
        termios.tcsetattr(descriptor, termios.TCSANOW, modes)
