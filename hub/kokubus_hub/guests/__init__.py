"""What guests see: the page behind the link of their pass."""
