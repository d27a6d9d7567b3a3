"""What trained cameras do: robustness, reactions, the gate; known games; evading targets."""
