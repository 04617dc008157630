"""Reports: what a place was used for, in figures that name nobody."""
