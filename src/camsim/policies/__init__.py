"""Scripted teams: compiled rules that read observations' facts and write actions."""
