"""The processes that train one run together: their places, their meeting and their exchanges."""
