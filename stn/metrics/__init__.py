"""Measures of a picture, whichever program made it.

`measures` are ours; `patches` and `artifacts` are those that need no network. `published` and
`learned` are numbers that other papers print. LPIPS and ArtFID, which are learned, need PyTorch and
networks of their own: `pytorch` is the process that computes them.
"""
