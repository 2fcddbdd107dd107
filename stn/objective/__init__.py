"""The total loss of a picture and its gradient.

`targets` says what the paintings ask for, once a level, by what `references` computes of them.
`objective.build` compiles the sum of all terms, which is in `graph`. What it gives,
`Objective.value_and_grad`, is all that an optimizer sees.
"""
