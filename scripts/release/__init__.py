"""Build the packages of a release, check them, and make what a release needs besides them."""
