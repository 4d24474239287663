"""A folder goes in, assets and findings come out; nothing here touches the network."""
