"""The replay page: an episode in one HTML file, with what its cameras believed."""
