"""What client and server both promise; imports nothing else of ours."""
