"""Training of the Thin-Plate-Spline Motion Model, with the published losses and schedule."""
