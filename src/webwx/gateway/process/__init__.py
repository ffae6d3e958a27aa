"""What concerns the process as a whole: its open files, memory, event loop, and turns of those who read much."""
