"""Building blocks of the model: encoders, temporal cores, heads, selectors, mixers."""
