"""Formats: the agreed file layout. One declaration (TOML) writes, reads, checks and documents."""
