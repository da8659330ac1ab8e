"""What the pages of all packages share: page frame, page cache, crisis help, headers, errors, assets, rate limits."""
