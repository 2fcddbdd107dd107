"""What comes from outside: pictures and weights by name, downloaded, checked and read.

`catalog` lists files with address, checksum and license; `store` finds and downloads them.
`matconvnet` reads and writes weight files. `inputs` says which files feed a run, and `pictures`
gives these the size and the colors that each level of the run needs.
"""

from stn.assets.store import fetch, locate_image, locate_weights, sample_path, weights_path
