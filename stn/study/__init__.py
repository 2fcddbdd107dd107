"""A study: choices on photographs crossed with paintings, each at equal content.

`design` says what is computed and asked, in the words of a protocol. `crossing` computes what is
missing, and `trials` keeps it as rows of a CSV. `effects` asks of the rows whether a change is more
than chance. `pages` writes the study's tables and figures, and `manipulations` what each measure
says of spoiled pictures.
"""
