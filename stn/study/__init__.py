"""What many runs say together: groups over seeds, trade-off curves, tables, figures."""
