"""Rules of scripted cameras."""
