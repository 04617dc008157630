"""Members, badges and bookings from files other programs wrote: all of a file or nothing."""
