"""The losses: one function an equation, on features, with no network and no settings.

Letters are the papers'. Docstrings name the equation, or the program that a form comes from.
"""
