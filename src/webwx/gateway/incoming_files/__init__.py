"""Rules that save incoming files."""
