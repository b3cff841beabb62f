"""Redaction: no secret leaves the process."""
