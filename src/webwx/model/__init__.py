"""The values of the library's users, built from wire structs."""
