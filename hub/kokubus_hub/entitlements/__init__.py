"""Standing rights: given by hand, or by the plans and roles members have."""
