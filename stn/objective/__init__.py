"""The total loss of a picture and its gradient.

`specification` holds the weighted losses that settings ask for. At each level of a pyramid
`objective.build` turns them and the pictures into an `Objective`, whose `value_and_grad` is all
that an optimizer sees. `targets` are the statistics that the paintings ask for, computed by
`references`, for the regions that `guides` makes of masks. `graph` is what TensorFlow compiles.
"""
