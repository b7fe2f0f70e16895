"""Portrayal: one portrait speaks and moves."""
