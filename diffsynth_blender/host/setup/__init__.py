"""The worker's environment and its models, from the preferences."""
