"""What is measured of a picture, by whatever program.

`measures` are ours, and `patches` and `artifacts` the parts without a network. `published` and
`learned` are numbers that papers print. LPIPS and ArtFID, which are learned, need PyTorch and
networks of their own: `pytorch` is the process that computes them.
"""
