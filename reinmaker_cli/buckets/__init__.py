"""Objects in buckets: what is there, and how something is put where nothing was. Shared by client and server."""
