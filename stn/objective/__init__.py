"""The objective."""
