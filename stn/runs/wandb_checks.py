"""What W&B would refuse, known before a run is computed; and what its environment asks for."""

import hashlib
import netrc
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from stn.errors import InputError

# What W&B may ask for by its own environment, as `tracking.mode`, from the least to the most.
MODES = ("off", "offline", "online")
ASKED = {
    "disabled": "off",
    "offline": "offline",
    "dryrun": "offline",
    "online": "online",
    "run": "online",
}
# What W&B refuses, as its 0.31 has it (wandb_settings.py, `validate_project`, `validate_run_tags`).
# Of groups and names its server alone knows the limit, 128 as for projects.
LONGEST_NAME, LONGEST_TAG, NOT_IN_PROJECTS = 128, 64, "/\\#?%:"
# What names one run, or ties it to W&B's agent: the many runs of a sweep cannot share it.
OF_ONE_RUN = (
    *("WANDB_RUN_ID", "WANDB_NAME", "WANDB_RUN_GROUP", "WANDB_RESUME"),
    *("WANDB_SWEEP_ID", "WANDB_SWEEP_PARAM_PATH"),
)
FORMER_SERVER = "https://api.wandb.ai"  # whose keys W&B takes for its server of today too


def turned_down(mode: str) -> str:
    """`tracking.mode`, or the less that WANDB_MODE and WANDB_DISABLED ask for; a warning where they
    ask for more.

    More is never done: pictures leave the machine by the configuration alone.
    """
    asked = _asked(mode)
    if MODES.index(asked) > MODES.index(mode):
        warnings.warn(
            f"WANDB_MODE={os.environ['WANDB_MODE']} is ignored: tracking={asked} is what makes"
            f" W&B {asked}",
            stacklevel=2,
        )
    return min(asked, mode, key=MODES.index)


def _asked(mode: str) -> str:
    """What the environment asks for, `mode` if it says nothing."""
    if os.environ.get("WANDB_DISABLED", "").lower() in ("1", "true", "yes", "on"):
        return "off"
    return ASKED.get(os.environ.get("WANDB_MODE", ""), mode)


def check(
    mode: str,
    project: str,
    folder: Path,
    in_sweep: bool = False,
    settings: Mapping[str, Any] = {},
) -> None:
    """Raise InputError for what W&B would refuse, so that no run is computed whose record is lost.

    That is the name of a project or a directory, a variable of W&B's, and `tracking=online`
    without a key. In a sweep the variables of one run do not count. `settings`, by dotted keys, are
    recorded, so that their texts have to be UTF-8 too."""
    if "off" in (mode, _asked(mode)):
        return
    found = "".join(sign for sign in NOT_IN_PROJECTS if sign in project)
    if found:
        raise InputError(
            f"tracking.project={project}: W&B's projects have no {' '.join(found)} in their names;"
            " an entity goes into WANDB_ENTITY"
        )
    if not 0 < len(project) <= LONGEST_NAME:
        raise InputError(
            f"tracking.project={project}: W&B's projects have names of 1 to {LONGEST_NAME}"
            " characters"
        )
    _check_environment(in_sweep)
    variables = {name: text for name, text in os.environ.items() if name.startswith("WANDB_")}
    texts = {**variables, **settings, "the directory": str(folder.absolute())}
    for what, text in {**texts, "tracking.project": project}.items():
        try:
            str(text).encode()
        except UnicodeEncodeError:
            shown = str(text).encode(errors="backslashreplace").decode()
            named = what if _is_secret(what) else f"{what} {shown}"
            raise InputError(
                f"{named}: its name is not UTF-8, which W&B needs; give another, or tracking=off"
            ) from None
    check_credentials(mode)


def _check_environment(in_sweep: bool) -> None:
    """Ask W&B itself of its variables, where there are any: importing it takes most of a second."""
    left_out = ("WANDB_TAGS", "WANDB_SERVICE", *(OF_ONE_RUN if in_sweep else ()))
    for name, value in os.environ.items():
        if name.startswith("WANDB_") and name not in left_out:
            import wandb

            settings, reason = wandb.Settings(), ""
            try:
                settings.update_from_env_vars({name: value})
            except Exception as error:  # whatever its validators raise
                told = error.errors()[0]["msg"] if hasattr(error, "errors") else str(error)
                reason = " ".join(told.split()).rstrip(".")
            if name == "WANDB_RUN_ID" and len(value) > LONGEST_NAME:
                reason = f"an id has at most {LONGEST_NAME} characters"
            if reason and _is_secret(name):
                raise InputError(f"{name}: W&B refuses its value; give another")
            if reason:
                raise InputError(f"{name}={value!r}: W&B refuses it ({reason}); give another")


def _is_secret(name: str) -> bool:
    """Whether a variable's value is never shown, nor what W&B says of it."""
    return any(part in name for part in ("KEY", "TOKEN", "PASSWORD"))


def shortened(text: str, length: int) -> str:
    """`text`, where it is too long its beginning and six letters that tell it from others."""
    if len(text) <= length:
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{text[: length - 7]}-{digest}"


def check_credentials(mode: str) -> None:
    """Refuse, by InputError, to go online where W&B would have to ask for a key."""
    if mode == _asked(mode) == "online" and not _has_credentials():
        raise InputError(
            "tracking=online: W&B has no API key here; run `wandb login`, or use tracking=offline"
        )


def _has_credentials() -> bool:
    """Whether there is a key in W&B's environment variables or in the netrc that `wandb login`
    writes.
    """
    if os.environ.get("WANDB_API_KEY") or os.environ.get("WANDB_IDENTITY_TOKEN_FILE"):
        return True
    hosts = [os.environ.get("WANDB_BASE_URL", "")]
    if not hosts[0]:
        import wandb  # its own server's address, which has changed before

        hosts = [wandb.Settings().base_url, FORMER_SERVER]
    try:
        known = netrc.netrc(os.environ.get("NETRC") or None)
    except (OSError, netrc.NetrcParseError):
        return False
    return any(known.authenticators(urlparse(host).hostname or "") for host in hosts)
