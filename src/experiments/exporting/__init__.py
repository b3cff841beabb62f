"""Models of finished runs in formats that other programs load, each checked before it is done."""
