"""The pages, one module a page; each draws a snapshot that the frame found."""
