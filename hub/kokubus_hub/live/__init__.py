"""The live page: the network at this moment, in a browser."""
