"""The kit itself: it passes what is right and fails what is wrong."""
