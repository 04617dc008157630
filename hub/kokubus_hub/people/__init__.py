"""Operators: who may sign in, and how."""
