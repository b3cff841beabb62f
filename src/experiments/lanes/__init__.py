"""Lanes: runs with the same model that train together as one model with stacked weights."""
