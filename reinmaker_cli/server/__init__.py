"""The other side of the contract: the whole API on one machine."""
