"""What a camera may choose, and how a choice becomes pan and zoom."""
