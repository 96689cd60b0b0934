"""One file a family: how ``config.json`` and tensors become a graph."""
