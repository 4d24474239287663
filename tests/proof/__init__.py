"""Tools that others wrote, asked whether `reinmaker serve` keeps its contract: docs/proof.md."""
