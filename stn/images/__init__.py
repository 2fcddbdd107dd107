"""Pictures as arrays: read, written, resized, recolored.

A picture is `rgb`, [h, w, 3], float64, 0-255, sRGB. `read` and `write` are for files; `resizing`,
`color` and `masks` compute with arrays and know nothing of a run.
"""

from stn.images.formats import (
    FORMATS,
    from_memory,
    over_white,
    read,
    read_with_opacity,
    to_bytes,
    write,
)
