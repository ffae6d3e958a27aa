"""The documentation site: its pages are staged from docs/ and from the code, built by Zensical, and checked."""
