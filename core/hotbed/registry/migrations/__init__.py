"""How a registry's tables came to be, one step after the other."""
