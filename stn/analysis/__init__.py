"""What many runs say together.

`grouping` puts seeds together and finds what compares. `inference` asks whether a difference is
more than chance. `tables` and `figures` show it: `sweep_tables` those of a sweep, `comparison` two
runs. `results` are the numbers kept with the program, and `doc_tables` puts them into documents.
"""
