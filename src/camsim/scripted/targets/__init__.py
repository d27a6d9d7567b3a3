"""Rules of scripted targets."""
