"""Is a training still at work? Between two results that are long apart, a thread says what is in work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SILENCE = 10.0
"""Seconds without a word after which something is said."""


class Heartbeat:
    """A thread that speaks when nothing was finished for a while.

    Parameters
    ----------
    speak : called in the thread where nothing was said for a while. What it raises is raised by the next `quiet`.
    silence : seconds.
    """

    def __init__(self, speak: Callable[[], None], silence: float) -> None:
        self.speak, self.silence = speak, silence
        self.lock, self.wake = threading.Lock(), threading.Event()
        self.ended, self.errors = False, list[BaseException]()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Inside, the thread is silent; afterwards it waits anew."""
        with self.lock:
            if self.errors:
                raise self.errors.pop()
            yield
            self.wake.set()

    def run(self) -> None:
        """Speak after every silence, until the end."""
        while not self.ended:
            if self.wake.wait(self.silence):
                self.wake.clear()
                continue
            with self.lock:
                if self.ended or self.wake.is_set():
                    continue
                try:
                    self.speak()
                except BaseException as error:  # a callback of somebody else's, which may raise anything
                    self.errors.append(error)
                    return


@contextmanager
def heartbeat(speak: Callable[[], None] | None, silence: float | None = None) -> Iterator[Heartbeat]:
    """A thread that speaks while the block is silent; without a function there is none."""
    heart = Heartbeat(speak or (lambda: None), SILENCE if silence is None else silence)
    thread = threading.Thread(target=heart.run, name="polyculture-heartbeat", daemon=True)
    if speak is not None:
        thread.start()
    try:
        yield heart
    finally:
        heart.ended = True
        heart.wake.set()
        if speak is not None:
            thread.join()
