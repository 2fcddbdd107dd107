"""A study: choices, such as of layers, compared on photographs crossed with paintings.

Each picture is to have the same content measure. `design` says what is computed and asked, in the
words of a protocol. `crossing` computes what is missing, and `trials` keeps it as rows of a CSV.
`effects` asks of the rows whether a change is more than chance. `pages` writes the tables and
figures of a page, and `manipulations` what each measure says of spoiled pictures.
"""
