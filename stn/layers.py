"""VGG's layers by name, in order."""

# Simonyan & Zisserman 2015 (arXiv:1409.1556), table 1, configurations E and D, named as in the
# papers' figures.
CONVS_PER_BLOCK = {19: (2, 2, 4, 4, 4), 16: (2, 2, 3, 3, 3)}
FULLY_CONNECTED = ("fc6", "fc7", "fc8")


def _trunk(depth: int) -> tuple[str, ...]:
    names: list[str] = []
    for block, convs in enumerate(CONVS_PER_BLOCK[depth], start=1):
        for i in range(1, convs + 1):
            names += [f"conv{block}_{i}", f"relu{block}_{i}"]
        names.append(f"pool{block}")
    return tuple(names)


VGG19, VGG16 = _trunk(19), _trunk(16)
