"""One file a step; numbers only grow."""
