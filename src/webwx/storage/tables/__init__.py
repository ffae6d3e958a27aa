"""The tables that both engines share, each written once: its types, its columns, its statements and one class."""
