"""Platforms: from the payloads of a shop to Orders, orders left out, and findings."""
