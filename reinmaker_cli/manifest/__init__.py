"""Assets go in, manifests come out; and what changes between two of them."""
