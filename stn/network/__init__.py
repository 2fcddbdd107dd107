"""VGG as a graph of TensorFlow, and a weight file as a network that is ready to use.

`network.load` gives a `Network`. `vgg` is the graph: a tuple of layers and a loop. `convolution`
and `winograd` are its largest part, and `quickest` says which of the two suits the machine.
`checkpointing` computes by rows to save memory, and `rescale` makes the papers' normalized network.
"""
