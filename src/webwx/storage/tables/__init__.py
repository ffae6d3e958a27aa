"""
The tables of a journal, each described once; those that both engines share have their statements and one class here.

`registry` has all of them. A program that stores nothing imports only those tables whose values it uses.
"""
