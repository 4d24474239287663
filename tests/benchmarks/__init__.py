"""Figures, as ratios against other tools in the same run: `make bench`."""
