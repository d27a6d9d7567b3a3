"""Files that training writes and reads back: archives of tensors and arrays, never executed."""
