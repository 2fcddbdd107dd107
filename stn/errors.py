"""Bad input ends with one line: the exception that says so, and the wrapper that prints it."""

import os
import sys
import traceback
from collections.abc import Callable


class InputError(ValueError):
    """Something the user gave is wrong; the message names it and says what to do."""


class Interrupted(Exception):
    """The user ended the run; the message says how to go on, `exit_code` is 128 + the signal's number."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def one_line(error: BaseException) -> str:
    """The error's message, and its cause's where that says more, folded into one line."""
    texts = [str(error)]
    if error.__cause__ is not None and str(error.__cause__) not in texts[0]:
        texts.append(str(error.__cause__))
    lines = [line.strip() for text in texts for line in text.splitlines()]
    return "; ".join(line for line in lines if line)


def run_command(main: Callable[[], object]) -> None:
    """Run a script's `main`; bad input prints one line and exits with 2, Ctrl-C with 130.

    Hydra prints its own tracebacks and exits with 1 unless HYDRA_FULL_ERROR is set, so it is set here for Hydra,
    and the user's own setting of it decides whether the traceback is shown.
    """
    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except Interrupted as end:
        print(end, file=sys.stderr)
        sys.exit(end.exit_code)
    except Exception as error:
        of_hydra = type(error).__module__.startswith(("hydra.", "omegaconf."))
        of_system = isinstance(error, OSError) and error.filename is not None
        if show_traceback:
            traceback.print_exc()
        elif not (isinstance(error, InputError) or of_hydra or of_system):
            raise
        message = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and of_system else one_line(error)
        print(f"error: {message}", file=sys.stderr)
        sys.exit(2)
