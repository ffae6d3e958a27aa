"""Benchmarks, each beside a floor and another client: `make bench`; docs/development/performance.md has the method."""
