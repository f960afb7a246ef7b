"""Pages over the published snapshot; they read and never write."""
