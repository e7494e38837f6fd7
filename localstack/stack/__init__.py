"""Parts of stack.py; see the README next to it."""
