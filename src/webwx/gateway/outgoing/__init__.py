"""HTTP requests to addresses of users, and the check of these addresses."""
