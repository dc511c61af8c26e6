"""What goes wrong with people's files, said so that the reader can mend it.

A problem carries its sentence as a template and the values apart, so that a page can say it in the
reader's language and a log can count by kind. ``str(problem)`` is the English sentence.
"""

from __future__ import annotations


class Problem(Exception):
    """Something the reader can mend: what happened, where, and the next step.

    Parameters
    ----------
    message
        English sentence with ``{named}`` places; also the key of its translation.
    **values
        What fills the places.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        self.message = message
        self.values = values
        super().__init__(message.format(**values))

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions with keyword arguments do not pickle by themselves; the reader runs in a subprocess.
        return (_rebuilt, (self.message, self.values))


def _rebuilt(message: str, values: dict[str, object]) -> Problem:
    return Problem(message, **values)
