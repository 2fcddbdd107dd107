"""The losses: one function an equation, on features, with no network and no settings.

Letters are the papers'. Docstrings name the equation, or the program that a form comes from.
`losses` has those of Gatys et al. and their forms, `distributions`, `neighbors` and `strotss` the
others. `statistics` is the table of all that a style loss may compare.
"""
