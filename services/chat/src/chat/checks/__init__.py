"""What an engine of A2 is graded on. One function is one requirement; its docstring says which."""
