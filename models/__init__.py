"""The classifier: what it is trained on, how it is trained and judged, and how it scores."""
