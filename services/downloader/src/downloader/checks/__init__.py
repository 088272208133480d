"""What an engine of T1 is graded on. One function is one requirement; its docstring says which."""
