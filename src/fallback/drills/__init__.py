"""Drills: the real procedure against a drill's drop, with mishaps staged on purpose, and the evidence of it."""
