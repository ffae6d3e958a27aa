"""Queues by key for what a consumer does with events: in order for each key, with stored times of retries."""
