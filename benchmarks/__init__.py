"""What must be fast, each beside its floor and a peer: `make bench`; read about it in docs/topics/performance.md."""
