"""How a program ends when it cannot go on: bad input, a directory in use, a signal."""


class InputError(ValueError):
    """Something the user gave is wrong; the message names it and says what to do."""


class InUse(InputError):
    """Another process works where this one was to."""


class NotReached(InputError):
    """A search ended without the value that it was to find."""


class Interrupted(Exception):
    """The user ended the run; the message says how to resume, `exit_code` is 128 + the signal's
    number.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
