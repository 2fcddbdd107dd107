"""Pictures."""

from stn.images.formats import (
    FORMATS,
    from_memory,
    over_white,
    read,
    read_with_opacity,
    to_bytes,
    write,
)

__all__ = ["FORMATS", "from_memory", "over_white", "read", "read_with_opacity", "to_bytes", "write"]
