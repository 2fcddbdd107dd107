"""Commands: one line for what the user can mend, and the exit code."""

import argparse
import codecs
import contextlib
import errno
import io
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import stn
from stn import errors

# Lines of Hydra's and OmegaConf's messages: advice that is wrong for a typed configuration, and its
# internals.
NOISE = (
    "To append to your config",
    "Config search path",
    "provider=",
    "reference_type=",
    "object_type=",
    "See https://hydra.cc",  # which is of another version
)
# What Hydra and OmegaConf say of what was typed, and what is said in its place.
SAID = {
    "could not be converted to Integer": "must be a whole number",
    "could not be converted to Float": "must be a number",
    "is not a valid bool": "must be true or false",
    "is not Optional": "must have a value",
    "Incompatible value 'None'": "must have a value",
    "is not a ListConfig": "must be a list in brackets, as [A,B] or [A]",
    "Cannot convert": "must be text",
    "missing EQUAL": "is no setting; write KEY=VALUE",
    "Ambiguous value": "several values are a sweep; add -m",
}

# What an extra brings to Hydra: a launcher, or a sweeper.
EXTRAS = {"joblib": "joblib", "submitit_slurm": "slurm", "ray": "ray", "optuna": "optuna"}
NOT_THERE = re.compile(rf"Could not \w+ '(hydra/\w+/({'|'.join(EXTRAS)}))'")

# No space is left: on the disk, of the user's share, in a file.
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What to do where the system refuses a file.
REMEDIES = {
    **dict.fromkeys(FULL, "make room, and the same command resumes"),
    **dict.fromkeys((errno.EEXIST, errno.ENOTDIR), "a file is in the way; give another name"),
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS), "give a place that you may read and write"
    ),
    errno.ENOENT: "its folder is not there; make it, or give another name",
    errno.EISDIR: "give the name of a file in it",
    errno.ENAMETOOLONG: "give a shorter one",
}


CHECKOUT = Path(__file__).resolve().parents[1]
CONSOLE = {  # setup.cfg has them too
    "stylize": "stn",
    "report": "stn-report",
    "fetch": "stn-fetch",
    "measure": "stn-measure",
}


def program(name: str) -> str:
    """How the user calls a command, `stylize` or another of CONSOLE: as in `python scripts/NAME.py`
    in a checkout, as `stn` where the package is installed or was called so.
    """
    script = CHECKOUT / "scripts" / f"{name}.py"
    typed = Path(sys.argv[0]).stem
    return (
        f"python scripts/{script.name}"
        if script.is_file() and typed not in CONSOLE.values()
        else CONSOLE[name]
    )


# Pages that commands name, and what there is where the package came without them: a command, or
# the page's title.
PAGES = {
    "docs/reference/configuration.md": "`python scripts/stylize.py --cfg job`",
    "docs/presets/index.md": "`python scripts/stylize.py preset=`",
    "docs/how-to/sweeps.md": "the documentation's page Sweeps and reports",
    "docs/how-to/python.md": "`python -c 'import stn; help(stn.stylize)'`",
    "docs/reference/measures.md": "the documentation's page Measures",
    "docs/notes/tried.md": "the documentation's page Tried and dropped",
}


def told(text: str) -> str:
    """A text for the user: its commands as `program` has them; where there is no checkout, what
    PAGES has in place of its pages, and whose its other scripts are.
    """
    if not has_pages():
        for path, instead in PAGES.items():
            text = text.replace(path, instead)
    for name in CONSOLE:
        text = text.replace(f"python scripts/{name}.py", program(name))
    if not (CHECKOUT / "scripts").is_dir():
        text = re.sub(r"(\bscripts/\w+\.py)(?! of a clone)", r"\1 of a clone", text)
    return text


def parser(text: str | None, **how: Any) -> argparse.ArgumentParser:
    """A parser whose help begins with a module's docstring, `text`, line by line; `how` as
    ArgumentParser takes it.
    """
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=told(text or ""), formatter_class=formatter, **how)


def has_pages() -> bool:
    """Whether the documents are there: a wheel has none."""
    return (CHECKOUT / "docs").is_dir()


def whole(text: str, least: int = 1) -> int:
    """The whole number that an argument is, of at least `least`; argparse says what is wrong."""
    if not text.isdecimal() or int(text) < least:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least {least}")
    return int(text)


def one_line(error: BaseException) -> str:
    """The error's message, and its cause's where that says more, folded into one line; of the
    system's the file.
    """
    if isinstance(error, OSError) and error.strerror:
        text = (
            f"{error.filename}: {error.strerror}" if error.filename is not None else error.strerror
        )
        remedy = REMEDIES.get(error.errno or 0)
        return f"{text}; {remedy}" if remedy else text
    text, cause = _folded(error), error.__cause__
    if missing := NOT_THERE.search(text):
        extra = EXTRAS[missing[2]]
        return f"{missing[1]}: its package is not installed; type: pip install -e '.[{extra}]'"
    if cause is not None and _folded(cause) not in text:
        text += f"; {_folded(cause)}"
    return _of_setting(error, text) or text


def _of_setting(error: BaseException, text: str) -> str:
    """What is wrong with a setting, after what was typed; empty for other errors."""
    instead = [SAID[said] for said in SAID if said in text]
    if not instead or not type(error).__module__.startswith(("hydra.", "omegaconf.")):
        return ""
    typed = re.search("(?:override|argument) '?(.+?)'?(?:;|$)", text)
    value = re.search("Value '(.*?)'", text)
    known = f"{getattr(error, 'full_key', '')}={value[1] if value else 'null'}"
    return f"{typed[1] if typed else known}: {instead[0]}"


def _folded(error: BaseException) -> str:
    # Hydra and OmegaConf list options on lines that begin with a tab, and add lines that help no
    # user.
    lines = str(error).replace("\n\t", ", ").replace(":, ", ": ").splitlines()
    return "; ".join(
        line.strip().rstrip(".")
        for line in lines
        if line.strip() and not line.strip().startswith(NOISE)
    )


def of_hydra(error: BaseException) -> bool:
    """Hydra's or OmegaConf's own complaint about what was typed: some are plain ValueErrors that it
    raises itself.
    """
    frames = [
        frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_tb(error.__traceback__)
    ]
    return any(
        name.startswith(("hydra.", "omegaconf.")) for name in (type(error).__module__, *frames[-1:])
    )


def _print_any_name() -> None:
    """Names of files go out as they are, whatever their bytes; where the terminal knows too few
    signs, as Python spells them. Python's own rule is a traceback after the work is done.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        is_utf8 = codecs.lookup(sys.stdout.encoding).name == "utf-8"
        with contextlib.suppress(OSError):  # where another file took its place
            sys.stdout.reconfigure(errors="surrogateescape" if is_utf8 else "backslashreplace")


def run_command(main: Callable[[], object]) -> None:
    """Run a script's `main`; bad input prints one line and exits with 2, Ctrl-C with 130; a warning
    is one line too.

    HYDRA_FULL_ERROR=1, as the user gives it, shows the traceback before the line."""
    try:
        Path.cwd()
    except FileNotFoundError:
        print("error: the working directory was removed; change to another one", file=sys.stderr)
        sys.exit(2)
    _print_any_name()
    if sys.argv[1:] == ["--version"]:
        print(f"stn {stn.__version__}")
        return
    warnings.formatwarning = lambda message, *_, **__: f"warning: {told(str(message))}\n"
    show_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
    except errors.Interrupted as end:
        print(end, file=sys.stderr)
        sys.exit(end.exit_code)
    except Exception as error:
        of_system = isinstance(error, OSError) and (
            error.filename is not None or error.errno in FULL
        )
        if show_traceback:
            traceback.print_exc()
        elif not (isinstance(error, errors.InputError) or of_hydra(error) or of_system):
            raise
        print(f"error: {told(one_line(error))}", file=sys.stderr)
        sys.exit(2)
