"""The warehouse's side: receive a file, load each order exactly once, and answer for every one of them."""
