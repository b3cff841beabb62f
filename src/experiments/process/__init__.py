"""The process: its signals, standard streams and logs, and messages to processes it starts."""
