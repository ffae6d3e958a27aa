"""Which accounts this process runs: all of a storage, or those whose leases it holds."""
