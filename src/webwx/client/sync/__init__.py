"""The sync of one account: polls, batches, and what is stored of them."""
