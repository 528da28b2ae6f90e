"""Makes an estate of real-looking systems to try Roundview on, with its catalog."""
