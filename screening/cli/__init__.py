"""The commands of ``flask``, one module per group. Data on stdout, messages on stderr, non-zero exit on failure."""
