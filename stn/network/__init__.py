"""VGG as a graph of TensorFlow, and a weight file as a network that is ready to use.

`network.load` gives a `Network`. `vgg` is the graph: a tuple of layers and a loop. `convolution` is
nearly all of its work, direct or by `winograd`; `quickest` says which suits the machine.
`checkpointing` computes by rows to save memory. `rescale` makes the papers' normalized network.
"""
