"""What an engine of T2 has to stand. One function is one requirement."""
