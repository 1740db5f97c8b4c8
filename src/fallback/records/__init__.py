"""Canonical records: what travels between a brand's platform and its warehouse, as frozen pydantic models."""
