"""Numbers of papers that need PyTorch and a network of their own: LPIPS and ArtFID.

`learned` says what is needed, fetches it, and has the formulas. `pytorch` is the process that
computes; it is one of its own, since TensorFlow and PyTorch in one process crashed here.
"""
