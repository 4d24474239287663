"""One file for each tool that is asked."""
