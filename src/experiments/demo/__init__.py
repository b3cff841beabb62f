"""A page on this machine where a person draws, and finished runs answer at each stroke."""
