"""A self-hosted check for the warning signs of the pain-depression cycle; ``app.create_app`` builds it."""
