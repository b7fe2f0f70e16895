"""Live: a camera drives a portrait, one picture out for one picture in, never behind."""
