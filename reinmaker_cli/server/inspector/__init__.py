"""The page at `/` of a local server: what it shows, as HTML made of plain values. Loaded when somebody opens it."""
