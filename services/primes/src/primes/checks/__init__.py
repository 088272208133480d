"""What an engine of M2 is graded on. One function is one requirement; its docstring says which."""
