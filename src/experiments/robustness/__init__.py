"""The accuracy of finished runs on other data and on corrupted test images."""
