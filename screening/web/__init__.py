"""What the visitor's pages share: their answers' cookie, language, crisis help, headers, errors, assets."""
