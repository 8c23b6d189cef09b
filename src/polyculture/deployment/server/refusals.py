"""Why is a request not answered? One sentence, and the status code that belongs to it."""

from __future__ import annotations

import reprlib

from polyculture.errors import InputError, PolycultureError, visible

LONGEST_SENTENCE = 600
"""Characters of an error that are sent; what a client wrote may be repeated in it."""


class RefusedRequestError(InputError):
    """A request that is not answered.

    Parameters
    ----------
    status : code of HTTP: 400 malformed, 401 key, 404 unknown, 413 too large, 503 busy, 504 too late, …
    wrong, expected, cure : as in every error.
    retry_after : seconds after which it may be sent again; 0 where that would not help.
    """

    def __init__(self, status: int, wrong: str, expected: str = "", cure: str = "", retry_after: int = 0) -> None:
        super().__init__(wrong, expected, cure)
        self.status, self.retry_after = status, retry_after


def sentence(error: Exception) -> str:
    """The error in one line of bounded length."""
    text = visible(" ".join(str(error).split()))
    return text if len(text) <= LONGEST_SENTENCE else text[: LONGEST_SENTENCE - 1] + "…"


def refusal_of(error: PolycultureError) -> RefusedRequestError:
    """An error of what was sent as the refusal that it is."""
    if isinstance(error, RefusedRequestError):
        return error
    return RefusedRequestError(400, error.wrong, error.expected, error.cure)


def malformed(wrong: str, expected: str = "", cure: str = "") -> RefusedRequestError:
    """The refusal of a request that is wrong itself."""
    return RefusedRequestError(400, wrong, expected, cure)


def excerpt(value: object, longest: int = 60) -> str:
    """A value of a request as an error repeats it."""
    text = repr(value[: longest + 1]) if isinstance(value, (str, bytes)) else reprlib.repr(value)
    return text if len(text) <= longest else text[: longest - 1] + "…"
