"""The graded requirements of A1."""
