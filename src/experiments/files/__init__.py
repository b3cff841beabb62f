"""Files: writes that survive a kill, checks before writing, locks and checksums."""
