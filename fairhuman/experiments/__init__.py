"""What serves one notebook or benchmark of the companion; nothing in the library imports it."""
