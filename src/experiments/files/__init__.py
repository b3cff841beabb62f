"""Files: written so that they survive, checked, and never somebody else's."""
