"""The second process: it delivers journals to MLflow, and logs models once the first has ended."""
