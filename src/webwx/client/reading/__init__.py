"""What can be read: history, recalls, subscriptions and streams."""
