"""The database: engines and their timeouts, deletion that leaves no bytes, migrations."""
