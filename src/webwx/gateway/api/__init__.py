"""The handlers of `/api/v1`, one module for each topic."""
