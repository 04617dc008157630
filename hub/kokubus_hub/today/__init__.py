"""A site's day for whoever looks after it: who comes, who came, and what to do about it."""
