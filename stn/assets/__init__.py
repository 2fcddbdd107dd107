"""Files from outside."""

from stn.assets.store import fetch, locate_image, locate_weights, sample_path, weights_path

__all__ = ["fetch", "locate_image", "locate_weights", "sample_path", "weights_path"]
