"""The clients that scripts import: `AsyncClient` with `await`, and `Client` without."""
