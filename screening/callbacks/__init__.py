"""Call-back requests: patients' pages to send and change them, staff pages to work through them."""
