"""What the video models of the Wan family share: their published files, text and image encoder, and VAE."""
