"""Two runs side by side: in what they differ, and the difference of their pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from stn import config, runs
from stn.analysis import grouping
from stn.errors import InputError


def rows(first: runs.Run, second: runs.Run) -> list[tuple[str, str, Any, Any]]:
    """(kind, key, value of the first, of the second) wherever the two differ, what matters most
    first.

    Kinds are `setting`, `input` (checksums), `version`, `machine`, `name or display` (settings that
    change no pixel), and `result`."""
    settings = [run.flat for run in (first, second)]
    changing, inert = (
        [
            {key: value for key, value in each.items() if config.inert(key) == kind}
            for each in settings
        ]
        for kind in (False, True)
    )
    versions = [
        run.part("versions") | {"commit": run.provenance.get("commit")} for run in (first, second)
    ]
    results = [
        {key: run.summary[key] for key in grouping.results((first, second)) if key in run.summary}
        for run in (first, second)
    ]
    return [
        *_differing("setting", *changing),
        *_differing("input", first.inputs, second.inputs),
        *_differing("version", *versions),
        *_differing("machine", first.part("machine"), second.part("machine")),
        *_differing("name or display", *inert),
        *_differing("result", *results),
    ]


def difference(first: runs.Run, second: runs.Run) -> tuple[np.ndarray | None, str]:
    """|A − B| of the two pictures, `rgb` [h, w, 3] times a power of two, and a sentence on it; None
    where there is none.
    """
    try:
        one, other = first.rgb, second.rgb
    except InputError as error:
        return None, f"There is no difference to show: {error}"
    if one.shape != other.shape:
        sizes = " and ".join(f"{rgb.shape[1]} × {rgb.shape[0]}" for rgb in (one, other))
        return (
            None,
            (
                f"The pictures have different sizes, {sizes} pixels, so there is no difference to"
                " show."
            ),
        )
    apart = np.abs(one - other)
    if not apart.any():
        return None, "The pictures are the same in every pixel."
    # What is brighter, one in a hundred, may be cut off.
    bright = np.percentile(apart, 99) or apart.max()
    gain = 2 ** int(np.log2(255 / bright))
    shown = f"{gain} times as bright" if gain > 1 else "as it is"
    return (
        np.minimum(gain * apart, 255),
        (
            f"The pictures differ by {apart.mean():.3g} of 255 on average and {apart.max():.3g} at"
            f" most; the difference is shown {shown}, black where they are the same."
        ),
    )


def _differing(
    kind: str, one: Mapping[str, Any], other: Mapping[str, Any]
) -> list[tuple[str, str, Any, Any]]:
    keys = [key for key in dict.fromkeys((*one, *other)) if one.get(key) != other.get(key)]
    return [(kind, key, *config.told_apart([one.get(key), other.get(key)])) for key in keys]
