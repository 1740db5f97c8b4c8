"""Delivery: the drop that both sides reach, and what proves that a file arrived there."""
