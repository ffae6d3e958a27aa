"""Meaning: what a user thinks in, built from wire structs."""
