"""What many runs say together.

`grouping` puts runs together that differ in their seed alone, and finds groups that compare.
`inference` asks whether a difference is more than chance. `tables` writes cells as text;
`sweep_tables`, `comparison` and `figures` show a sweep, two runs, and pictures with curves.
`results` are numbers that are kept with the program, and `doc_tables` puts them into documents.
"""
