"""A manifest goes in, a verdict comes out; prints nothing."""
