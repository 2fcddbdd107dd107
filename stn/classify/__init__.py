"""The network as a classifier, and images made for its classes.

The scripts in `experiments/` that ask what a network sees, or how it is fooled, stand on this.
"""
