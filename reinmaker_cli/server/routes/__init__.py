"""One file per resource: parse, call, answer."""
