"""Adapters: accounts of this gateway for programs that speak another protocol than its API."""
