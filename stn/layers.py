"""VGG's layers as values: name, kind, block and number."""

from collections.abc import Iterable
from typing import NamedTuple

# Simonyan & Zisserman 2015 (arXiv:1409.1556), table 1, configurations E and D, named as in the
# papers' figures.
CONVS_PER_BLOCK = {19: (2, 2, 4, 4, 4), 16: (2, 2, 3, 3, 3)}
FILTERS = (64, 128, 256, 512, 512)  # of a convolution, by block
FULLY_CONNECTED = ("fc6", "fc7", "fc8")
# The picture itself as a layer of hypercolumns: red, green and blue, in 0-1.
COLORS = "rgb"


class Layer(NamedTuple):
    """A layer of VGG's trunk, such as relu4_2 of kind `relu`, block 4 and number 2; a pooling is
    the only one of its block and has number 0.
    """

    name: str
    kind: str  # conv, relu or pool
    block: int
    number: int

    @property
    def convolution(self) -> str:
        """The name of the convolution whose output a ReLU takes; of a convolution, its own."""
        return f"conv{self.block}_{self.number}"


def _trunk(depth: int) -> dict[str, Layer]:
    found: list[Layer] = []
    for block, convs in enumerate(CONVS_PER_BLOCK[depth], start=1):
        for number in range(1, convs + 1):
            found += [
                Layer(f"{kind}{block}_{number}", kind, block, number) for kind in ("conv", "relu")
            ]
        found.append(Layer(f"pool{block}", "pool", block, 0))
    return {layer.name: layer for layer in found}


# Every layer by its name: VGG-16's are among VGG-19's.
LAYERS = _trunk(19)
VGG19, VGG16 = tuple(LAYERS), tuple(_trunk(16))
TRUNKS = {19: VGG19, 16: VGG16}
# The style layers of Gatys et al. 2016, section 3, and of Johnson et al. 2016, section 4.1.
GATYS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
JOHNSON = ("relu1_2", "relu2_2", "relu3_3", "relu4_3")


def stride_of(name: str) -> int:
    """How many pixels, down and across, a position of a layer stands for; a pooling counts as what
    follows it.
    """
    if name == COLORS:
        return 1
    return int(2 ** (LAYERS[name].block - (LAYERS[name].kind != "pool")))


def depth_of(names: Iterable[str]) -> int:
    """19 if one of the named layers is VGG-19's alone, such as conv3_4, and else 16."""
    return 16 if {*VGG19}.difference(VGG16).isdisjoint(names) else 19


def trunk_of(network: str) -> tuple[str, ...]:
    """The layer names of a network by its name in the configuration, such as vgg19_q8."""
    return VGG16 if network.startswith("vgg16") else VGG19


def of_kind(kind: str, names: Iterable[str]) -> list[str]:
    """Those of the named layers that are of a kind; others, such as a head's, are left out."""
    return [name for name in names if name in LAYERS and LAYERS[name].kind == kind]
