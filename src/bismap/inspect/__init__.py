"""Pictures of what the stages produce."""
