"""hotbed's tests."""
