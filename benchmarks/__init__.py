"""Speed and memory, against a hand-written loop and against others."""
