"""Replays: one page that plays an episode and shows what cameras believed and valued."""
