"""stn: neural style transfer by optimizing one image, reproduced from the papers and their programs."""

__version__ = "0.1.0"
