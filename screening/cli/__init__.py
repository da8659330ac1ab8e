"""The commands under ``flask``, a module a group. Data on stdout, words on stderr, non-zero on failure."""
