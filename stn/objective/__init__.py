"""The total loss of a picture and its gradient.

`targets` computes what the paintings ask for, once a level; `objective.build` compiles the sum of
all terms. What it gives, `Objective.value_and_grad`, is all that an optimizer sees.
"""
